/**
 * The same question for many who ask it: asked by one at a time, and answered with what it said last, also with its
 * failure, until `goodForMs` after it ended. However many ask, and however early they give up, it costs no more.
 */
export function shareAnswers<Answer>(
  ask: () => Promise<Answer>,
  goodForMs: number,
  now: () => number = () => performance.now(),
): () => Promise<Answer> {
  let latest: { readonly answer: Promise<Answer>; goodUntil: number } | null = null;
  return () => {
    if (latest !== null && now() < latest.goodUntil) return latest.answer;
    const asked = { answer: ask(), goodUntil: Number.POSITIVE_INFINITY };
    const ended = () => {
      asked.goodUntil = now() + goodForMs;
    };
    asked.answer.then(ended, ended);
    latest = asked;
    return asked.answer;
  };
}
