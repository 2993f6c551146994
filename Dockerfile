# One image for all of the product's processes; docker-compose.yml says which one a container runs.
FROM node:24.21.0-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc prisma.config.ts ./
COPY prisma/schema.prisma prisma/
# Its postinstall generates Prisma's client from the schema.
RUN npm ci --omit=dev
COPY . .
# The workflows' bundle, which every worker would otherwise build when it starts.
RUN node -e "import('./workers/workflow-bundle.ts').then((bundle) => bundle.workflowBundlePath())"

FROM node:24.21.0-bookworm-slim
# The slim image knows no authorities: without them there is no TLS to Temporal Cloud, a database or a provider.
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/*
# A volume takes its owner from here: the simulators keep the bank's book in it.
RUN mkdir /data && chown node:node /data
WORKDIR /app
COPY --from=build /app ./
# Processes refuse unsafe settings; docker-compose.yml, where everything is played, says development.
ENV NODE_ENV=production ENVIRONMENT=production
USER node
CMD ["npm", "run", "--silent", "api"]
