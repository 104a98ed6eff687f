# The image of examples/media-node as one chain of steps, in the style of the recipes that specs replace: the peer of
# the benchmarks. Every step waits for the one before it, and a change rebuilds all that follows.
FROM debian:13
ENV DEBIAN_FRONTEND=noninteractive
# Whom the base image trusts besides the usual authorities is trusted after the package of those is installed, too.
RUN if [ -f /etc/ssl/certs/ca-certificates.crt ]; then \
        install -D -t /usr/local/share/ca-certificates /etc/ssl/certs/ca-certificates.crt; fi \
    && apt-get update && apt-get install -y --no-install-recommends \
        build-essential pkg-config xz-utils cmake meson nasm ninja-build ca-certificates curl tzdata \
        libbz2-dev libffi-dev libgdbm-dev liblzma-dev libncurses-dev libreadline-dev libsqlite3-dev libssl-dev tk-dev \
        uuid-dev zlib1g-dev libaom-dev libass-dev libfontconfig-dev libfreetype-dev libgnutls28-dev libmp3lame-dev \
        libopus-dev libdrm-dev libva-dev libvpx-dev libx264-dev libnuma-dev libx265-dev libxml2-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src

ADD --checksum=sha256:93e583f243454e6e9e4588ca2c2662206ad961659863277afcdb96801647d640 \
    https://www.python.org/ftp/python/3.13.5/Python-3.13.5.tar.xz ./
RUN tar -xf Python-3.13.5.tar.xz && cd Python-3.13.5 \
    && ./configure --prefix=/opt/python --enable-shared --with-ensurepip=install --disable-test-modules \
        --without-static-libpython LDFLAGS=-Wl,-rpath,/opt/python/lib \
    && make -j"$(nproc)" && make install && ln -s python3 /opt/python/bin/python && rm -rf /src/Python-3.13.5
ENV PATH=/opt/python/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

ADD --checksum=sha256:401813f1f89fa8fd4295805aa5284d9aed9bc7fc1fdbe554af4292f64cbabe21 \
    https://downloads.videolan.org/pub/videolan/dav1d/1.5.1/dav1d-1.5.1.tar.xz ./
RUN tar -xf dav1d-1.5.1.tar.xz \
    && meson setup dav1d-build dav1d-1.5.1 --prefix=/opt/build/dav1d --libdir=lib --buildtype=release \
        --default-library=static -Denable_tools=false -Denable_tests=false \
    && ninja -C dav1d-build install && rm -rf dav1d-1.5.1 dav1d-build

ADD --checksum=sha256:ebb0b484ef4a0dc281e94342a9f73ad458496f5d3457eca7465bec943910c6c3 \
    https://gitlab.com/AOMediaCodec/SVT-AV1/-/archive/v2.3.0/SVT-AV1-v2.3.0.tar.gz ./
RUN mkdir svt && tar -xf SVT-AV1-v2.3.0.tar.gz -C svt --strip-components=1 \
    && cmake -G Ninja -S svt -B svt-build -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX=/opt/build/svt-av1 \
        -DCMAKE_INSTALL_LIBDIR=lib -DBUILD_SHARED_LIBS=OFF -DBUILD_APPS=OFF -DBUILD_DEC=OFF -DSVT_AV1_LTO=OFF \
    && ninja -C svt-build install && rm -rf svt svt-build

ADD --checksum=sha256:de668509caf9e35e3cd162473441fdb29538c6d96ed080292b3cf9e6fc5d558f \
    https://ffmpeg.org/releases/ffmpeg-7.1.5.tar.xz ./
RUN tar -xf ffmpeg-7.1.5.tar.xz && cd ffmpeg-7.1.5 \
    && PKG_CONFIG_PATH=/opt/build/dav1d/lib/pkgconfig:/opt/build/svt-av1/lib/pkgconfig \
        ./configure --prefix=/usr/local --enable-shared --disable-static --disable-doc --disable-debug \
        --extra-libs="-lm -lpthread" --enable-gpl --enable-version3 --enable-pic --enable-pthreads --enable-zlib \
        --enable-hardcoded-tables --disable-openssl --disable-sndio --enable-libaom --enable-libass --enable-libdav1d \
        --enable-libfontconfig --enable-libfreetype --enable-gnutls --enable-libmp3lame --enable-libopus \
        --enable-libsvtav1 --enable-vaapi --enable-libvpx --enable-libx264 --enable-libx265 --enable-libxml2 \
        --enable-demuxer=dash \
    && make -j"$(nproc)" && make install && ldconfig && rm -rf /src/ffmpeg-7.1.5

ADD --checksum=sha256:90b2f223fb69d19db49e117da601f64978593417988530aa733d456141b4bcbb \
    https://github.com/astral-sh/uv/releases/download/0.12.1/uv-x86_64-unknown-linux-gnu.tar.gz ./
RUN tar -xf uv-x86_64-unknown-linux-gnu.tar.gz -C /usr/local/bin --strip-components=1 \
    && SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt uv pip install --no-cache --python /opt/python/bin/python3 \
        --system --only-binary :all: numpy==2.2.6 onnx==1.19.1 onnxruntime==1.23.2 pyyaml==6.0.3

ENV TZ=Etc/UTC PYTHONUNBUFFERED=1
WORKDIR /edge_node
LABEL org.opencontainers.image.vendor=Ratio1
ENTRYPOINT ["python3"]
CMD ["--version"]
