# The uploader: `docker run -v …:/data -v …:/state -v …:/config.yaml databricks-uploader --config /config.yaml`.
# docs/CONTAINERS.md says what is in it. scripts/build.sh builds it, for one platform or several.
ARG BASE_IMAGE=node:24-bookworm-slim

# The first stage is that of sample-sensor/Dockerfile, line by line, so that both images are built from one cache.
FROM ${BASE_IMAGE} AS build
# Debian's compilers: better-sqlite3 and native/ are C and C++.
RUN apt-get update \
  && apt-get install -y --no-install-recommends python3 make g++ \
  && rm -rf /var/lib/apt/lists/*
# Node.js's headers are in the image; node-gyp does not have to fetch them.
ENV npm_config_nodedir=/usr/local npm_config_update_notifier=false
WORKDIR /app
COPY scripts/patch-node-headers.sh scripts/
RUN scripts/patch-node-headers.sh /usr/local/include/node
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund --loglevel=error
COPY scripts/build.js scripts/build-native.js scripts/build-compiled.js scripts/keep-compiled.cjs scripts/
COPY native native
COPY src src
COPY sample-sensor/src sample-sensor/src
RUN npm run --silent build
# What is left of the packages is what runs: no development dependency, no source of SQLite, nothing of a compiler's.
RUN npm prune --omit=dev --no-audit --no-fund --loglevel=error \
  && rm -rf node_modules/better-sqlite3/deps node_modules/better-sqlite3/src \
  && find node_modules/better-sqlite3/build -type f ! -name better_sqlite3.node -delete

FROM ${BASE_IMAGE}
# A database's folder, the state's, and /config.yaml; /sample-sensor/data is what the sample configuration calls /data.
RUN mkdir -p /data /state /sample-sensor \
  && chown node:node /data /state \
  && ln -s /data /sample-sensor/data \
  && ln -s /app/dist/src/cli/uploader.js /usr/local/bin/uploader \
  && ln -s /app/dist/src/cli/pipeline-manager.js /usr/local/bin/pipeline-manager
COPY deploy/image-config.yaml /config.yaml
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
# `node scripts/make-buckets.ts`, for docker-compose.yml.
COPY src/config/bucket-names.ts src/config/
COPY src/core/types.ts src/core/
COPY scripts/make-buckets.ts scripts/
# There is no VOLUME: the engine would make one without a name, which is lost as well, and nobody would be warned.
ENV NODE_ENV=production \
    CONFIG_PATH=/config.yaml \
    STATE_DIR=/state \
    STATUS_ADDRESS=0.0.0.0:9464 \
    UPLOADER_IN_CONTAINER=true
USER node
EXPOSE 9464
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + process.env.STATUS_ADDRESS.split(':').pop() + '/healthz').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
# SIGTERM drains: the uploader listens for it itself, as process 1 too.
STOPSIGNAL SIGTERM
ENTRYPOINT ["uploader"]
# Last, since they change with every commit.
ARG VERSION=0.0.0
ARG REVISION=unknown
ARG CREATED=unknown
LABEL org.opencontainers.image.title="databricks-uploader" \
      org.opencontainers.image.description="Ships every row of a SQLite database to S3 as Parquet, exactly once" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
