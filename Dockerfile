# iexec-lite without Python on the machine (docs/install.md says how it is used):
#   docker build --tag iexec-lite .
FROM python:3.13.7-slim-bookworm AS build
WORKDIR /src
COPY setup.cfg pyproject.toml README.md LICENSE ./
COPY iexec_lite ./iexec_lite
RUN python -m venv /opt/iexec-lite && /opt/iexec-lite/bin/pip install --no-cache-dir .

FROM python:3.13.7-slim-bookworm
COPY --from=build /opt/iexec-lite /opt/iexec-lite
ENV PATH=/opt/iexec-lite/bin:$PATH HOME=/home/iexec
# No account: it may be started as any user, whose files on the machine then stay the user's own.
RUN mkdir -m 1777 /home/iexec /project
USER 1000:1000
WORKDIR /project
ENTRYPOINT ["iexec-lite"]
