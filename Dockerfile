# Sixgate's image: Python's image plus one reproducible layer (`make image-twice`;
# infra/gke/README.md).
#
# Python's image is pinned by tag, and a tag can move. Its digest could not be verified when this
# file was written: look it up (`docker buildx imagetools inspect`) and pin it.
ARG PYTHON=python:3.12.12-slim-bookworm

FROM ${PYTHON} AS layer
WORKDIR /source
COPY requirements/runtime.txt requirements/build.txt requirements/
RUN pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements/build.txt
COPY pyproject.toml README.md LICENSE ./
COPY client client
COPY schemas schemas
COPY signer signer
COPY streams streams
COPY sixgate sixgate
COPY infra infra
COPY tools tools
RUN python -m tools.image layer /layer.tar \
 && mkdir /layer \
 && tar --extract --file /layer.tar --directory /layer --same-permissions

FROM ${PYTHON}
ENV ETH_HASH_BACKEND=pysha3 PYTHONUNBUFFERED=1
COPY --from=layer /layer/usr/local/ /usr/local/
WORKDIR /tmp
USER 65532:65532
ENTRYPOINT ["sixgate"]
