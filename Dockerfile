# Lapse as a container, see "Containers" in docs/OPERATING.md:
#   docker build -t lapse .
#   docker run --init -v lapse-data:/data -v "$PWD/campaigns:/config:ro" lapse

FROM node:22-bookworm-slim AS build
WORKDIR /build
COPY package.json package-lock.json ./
# No package of ours needs an install script.
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY . .
RUN node scripts/setup.mjs --build && npm prune --omit=dev --ignore-scripts --no-audit --no-fund

FROM node:22-bookworm-slim
ENV NODE_ENV=production
WORKDIR /opt/lapse
# Without the folders of sources, so that nothing is ever built in the container.
COPY --from=build /build/package.json /build/LICENSE ./
COPY --from=build /build/node_modules ./node_modules
COPY --from=build /build/bin ./bin
COPY --from=build /build/dist ./dist
COPY --from=build /build/config ./config
COPY --from=build /build/app/demo/demo.yaml ./app/demo/demo.yaml
RUN mkdir /data /config && chown node:node /data
USER node
VOLUME /data
# The events' door listens on the container's own loopback; this one is for probes and metrics.
EXPOSE 9090
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:9090/readyz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "bin/lapse.mjs"]
CMD ["serve", "--config", "/config", "--data", "/data", "--ops", "0.0.0.0:9090"]
