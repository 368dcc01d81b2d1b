# An image that serves a bundle: docker build -f deploy/serve.Dockerfile -t reeltune-serve .
# docker run --rm -p 127.0.0.1:8000:8000 -v "$PWD/bundles/ml100k_gru:/bundle:ro" reeltune-serve
FROM python:3.11-slim
WORKDIR /reeltune
COPY . .
RUN pip install --no-cache-dir -c constraints.txt ".[onnx,serve]"
USER nobody
EXPOSE 8000
# Whoever reaches the port may ask: put a proxy with TLS and a login before it (docs/security.md).
ENTRYPOINT ["reeltune", "serve", "/bundle", "--host", "0.0.0.0"]
CMD ["--workers", "2"]
