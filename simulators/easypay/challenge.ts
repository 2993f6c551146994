import type { Express, Request, Response } from 'express';
import express from 'express';
import { z } from 'zod';
import type { Page } from './challenge-page.ts';
import {
  closingPage,
  contentSecurityPolicy,
  overPage,
  questionPage,
  unclearPage,
  unknownPage,
} from './challenge-page.ts';
import type { StoredCharge, Verdict } from './charge.ts';
import { approved, authenticationFailed } from './charge.ts';
import { completeCharge } from './commit.ts';
import type { EasyPay } from './easypay.ts';

type ChallengeRequest = Request<{ token: string }>;

const path = '/challenge/:token';
const verdicts: Readonly<Record<'approve' | 'decline', Verdict>> = { approve: approved, decline: authenticationFailed };
const answerSchema = z.object({ outcome: z.enum(['approve', 'decline']) });

/** The page on which a payer confirms a charge or not, in a browser: `GET` asks, and `POST` of the form answers. */
export function addChallengeRoutes(app: Express, easypay: EasyPay): void {
  app.get(path, (request: ChallengeRequest, response) => {
    show(response, pageFor(easypay.charges.withChallenge(request.params.token)));
  });
  app.post(path, express.urlencoded({ extended: false, limit: '1kb' }), (request: ChallengeRequest, response) =>
    postAnswer(easypay, request, response),
  );
}

async function postAnswer(easypay: EasyPay, request: ChallengeRequest, response: Response): Promise<void> {
  const find = () => easypay.charges.withChallenge(request.params.token);
  const stored = find();
  const answer = answerSchema.safeParse(request.body);
  if (stored === undefined || !answer.success) {
    show(response, stored === undefined ? unknownPage : unclearPage);
    return;
  }
  const { outcome } = answer.data;
  const { charge, request: asked } = stored;
  const isDone = await completeCharge(easypay, charge.id, 'requires_action', verdicts[outcome]);
  if (!isDone) show(response, pageFor(find()));
  else if (asked.return_url === undefined) show(response, closingPage(outcome));
  else response.writeHead(303, { location: asked.return_url, ...headers, 'content-length': '0' }).end();
}

function pageFor(stored: StoredCharge | undefined): Page {
  if (stored === undefined) return unknownPage;
  return stored.charge.status === 'requires_action' ? questionPage(stored.charge) : overPage(stored.request.return_url);
}

const headers = { 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' };

function show(response: Response, { status, html }: Page): void {
  response
    .writeHead(status, {
      ...headers,
      'content-type': 'text/html; charset=utf-8',
      'content-length': String(Buffer.byteLength(html)),
      'content-security-policy': contentSecurityPolicy,
      'x-content-type-options': 'nosniff',
    })
    .end(html);
}
