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
COPY --chown=leffa . .

USER leffa
ENV GRADIO_SERVER_NAME=0.0.0.0 PYTHONUNBUFFERED=1
EXPOSE 7860
CMD ["python", "app.py"]
