# The app for everybody who does not run it on a Space: docker build -t leffa . && docker run -p 7860:7860 leffa
FROM python:3.11-slim

# mediapipe and OpenCV need these of a desktop's libraries
RUN apt-get update \
 && apt-get install -y --no-install-recommends libgl1 libglib2.0-0 libegl1 libgles2 \
 && rm -rf /var/lib/apt/lists/*

RUN useradd --create-home leffa
WORKDIR /home/leffa/app
COPY requirements.txt requirements.lock .
RUN pip install --no-cache-dir --require-hashes --no-deps -r requirements.lock \
 && pip install --no-cache-dir "$(grep '^torch==' requirements.txt)"
# Root's: whoever gets hold of the app cannot change it. It also runs with `docker run --read-only --tmpfs /tmp`.
COPY . .

USER leffa
ENV GRADIO_SERVER_NAME=0.0.0.0 PYTHONUNBUFFERED=1 MPLCONFIGDIR=/tmp/matplotlib
EXPOSE 7860
HEALTHCHECK --start-period=60s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:7860/healthz', timeout=20)"]
CMD ["python", "app.py"]
