# syntax=docker/dockerfile:1
# One chain of steps, in the style of the recipes that specs replace.
FROM $base
ENV DEBIAN_FRONTEND=noninteractive
RUN apt-get update && apt-get install -y --no-install-recommends $system \
        build-essential pkg-config nasm zlib1g-dev $python_needs \
    && rm -rf /var/lib/apt/lists/*
ADD --checksum=sha256:$ffmpeg_sha256 $ffmpeg_url /src/
RUN cd /src && tar -xf *.tar.* && cd */ && ./configure --prefix=/usr/local $ffmpeg_flags \
    && make -j"$$(nproc)" && make install && ldconfig && rm -rf /src
ADD --checksum=sha256:$uv_sha256 $uv_url /src/
RUN tar -xf /src/*.tar.gz -C /usr/local/bin --strip-components=1
$python_add
RUN $python_make
$cuda_chain
RUN echo "$exclude" | tr ' ' '\n' >/exclude.txt \
    && SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt UV_NO_PROGRESS=1 $uv_index uv pip install --no-cache \
        --python /opt/venv/bin/python3 --only-binary :all: --excludes /exclude.txt $requirements
ENV PATH=/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin $cuda_env $env
ENTRYPOINT $entrypoint
