# The image of every Tapefold process: `docker run tapefold worker`, `… api`, `… up`.
FROM python:3.12-slim AS build
WORKDIR /src
RUN python -m venv /opt/tapefold
# First what changes seldom: the dependencies, in the versions and with the hashes that are tested.
COPY requirements.lock ./
RUN /opt/tapefold/bin/pip install --no-cache-dir --require-hashes --requirement requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY daemon daemon
COPY streams streams
COPY projections projections
COPY api api
COPY ops ops
RUN /opt/tapefold/bin/pip install --no-cache-dir --no-deps .

FROM python:3.12-slim
RUN useradd --system --create-home --home-dir /home/tapefold tapefold
COPY --from=build /opt/tapefold /opt/tapefold
ENV PATH=/opt/tapefold/bin:$PATH PYTHONUNBUFFERED=1
USER tapefold
WORKDIR /home/tapefold
ENTRYPOINT ["tapefold"]
CMD ["up"]
