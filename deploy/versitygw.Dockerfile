# The S3 server of docker-compose.yml, for scripts/test-containers.sh where its own image cannot be pulled: the program
# `versitygw`, built from its Go module, beside this file's context.
ARG BASE_IMAGE=node:24-bookworm-slim
FROM ${BASE_IMAGE}
# For the health check.
RUN apt-get update \
  && apt-get install -y --no-install-recommends wget \
  && rm -rf /var/lib/apt/lists/*
COPY versitygw /usr/local/bin/versitygw
ENTRYPOINT ["versitygw"]
