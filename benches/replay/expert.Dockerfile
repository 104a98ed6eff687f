# syntax=docker/dockerfile:1
# What BuildKit makes possible: a stage for each part, caches, one resolution and three groups of wheels, linked copies.
FROM $base AS base
ENV DEBIAN_FRONTEND=noninteractive UV_NO_PROGRESS=1 UV_LINK_MODE=copy SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt $uv_index
RUN rm -f /etc/apt/apt.conf.d/docker-clean && echo 'Binary::apt::APT::Keep-Downloaded-Packages "true";' \
    >/etc/apt/apt.conf.d/keep-cache

FROM base AS ffmpeg
RUN --mount=type=cache,target=/var/cache/apt,sharing=locked --mount=type=cache,target=/var/lib/apt,sharing=locked \
    apt-get update && apt-get install -y --no-install-recommends build-essential pkg-config xz-utils nasm zlib1g-dev
ADD --checksum=sha256:$ffmpeg_sha256 $ffmpeg_url /src/
RUN cd /src && tar -xf *.tar.* && cd */ && ./configure --prefix=/usr/local $ffmpeg_flags \
    && make -j"$$(nproc)" && make install DESTDIR=/out

FROM base AS python
RUN --mount=type=cache,target=/var/cache/apt,sharing=locked --mount=type=cache,target=/var/lib/apt,sharing=locked \
    apt-get update && apt-get install -y --no-install-recommends $python_needs
ADD --checksum=sha256:$uv_sha256 $uv_url /src/
$python_add
RUN tar -xf /src/*.tar.gz -C /usr/local/bin --strip-components=1 && $python_make

FROM python AS resolve
RUN --mount=type=cache,target=/root/.cache/uv echo "$exclude" | tr ' ' '\n' >/exclude.txt \
    && echo "$requirements_plain" | tr ' ' '\n' \
    | uv pip compile -q --python /opt/venv/bin/python3 --only-binary :all: --excludes /exclude.txt --no-header \
        --no-annotate -o /all.txt - && mkdir -p /groups/torch /groups/models /groups/rest \
    && grep -E '^(torch|nvidia-|triton)' /all.txt >/groups/torch/list.txt \
    ; grep -E '^(openvino|onnxruntime|transformers|tokenizers)' /all.txt >/groups/models/list.txt \
    ; grep -vE '^(torch|nvidia-|triton|openvino|onnxruntime|transformers|tokenizers)' /all.txt >/groups/rest/list.txt

FROM python AS torch
COPY --from=resolve /groups/torch/list.txt /list.txt
RUN --mount=type=cache,target=/root/.cache/uv [ ! -s /list.txt ] || \
    uv pip install --python /opt/venv/bin/python3 --prefix /out/opt/venv --no-deps -r /list.txt; mkdir -p /out

FROM python AS models
COPY --from=resolve /groups/models/list.txt /list.txt
RUN --mount=type=cache,target=/root/.cache/uv \
    uv pip install --python /opt/venv/bin/python3 --prefix /out/opt/venv --no-deps -r /list.txt

FROM python AS rest
COPY --from=resolve /groups/rest/list.txt /list.txt
RUN --mount=type=cache,target=/root/.cache/uv \
    uv pip install --python /opt/venv/bin/python3 --prefix /out/opt/venv --no-deps -r /list.txt

$cuda_stage
FROM base
RUN --mount=type=cache,target=/var/cache/apt,sharing=locked --mount=type=cache,target=/var/lib/apt,sharing=locked \
    apt-get update && apt-get install -y --no-install-recommends $system $python_runs
COPY $link --from=python /opt/venv /opt/venv
COPY $link --from=torch /out /
COPY $link --from=models /out /
COPY $link --from=rest /out /
COPY $link --from=ffmpeg /out /
$cuda_copy
ENV PATH=/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LD_LIBRARY_PATH=/usr/local/lib $cuda_env $env
ENTRYPOINT $entrypoint
