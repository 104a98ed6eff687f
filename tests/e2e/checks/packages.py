"""Every package that the recipes' requirement lists name is installed, and its module can be imported. Arguments are the
packages of the family besides, each PACKAGE=MODULE."""

import importlib
import importlib.metadata
import sys

# Source: the requirement lists of the production images, both families.
PACKAGES = """
accelerate bs4 cryptography decord docker dropbox faiss-cpu=faiss fastapi gql h5py minio numpy nvidia-ml-py=pynvml onnx
onnxruntime-openvino=onnxruntime onnxsim opencv-python-headless=cv2 openvino paho-mqtt=paho.mqtt.client pandas pika
pyarrow pydantic pymssql python-multipart=python_multipart pyyaml=yaml scikit-image=skimage scikit-learn=sklearn seaborn
sentencepiece shapely tokenizers torch torchaudio torchvision transformers unidecode uvicorn web3
""".split()

problems = []
for package in PACKAGES + sys.argv[1:]:
    name, _, module = package.partition("=")
    try:
        importlib.metadata.version(name)
        importlib.import_module(module or name)
    except Exception as error:
        problems.append(f"{name}: {type(error).__name__}: {error}")
# It shadows the module of nvidia-ml-py.
if any(distribution.name == "pynvml" for distribution in importlib.metadata.distributions()):
    problems.append("pynvml is installed")
print(f"{len(PACKAGES) + len(sys.argv[1:])} packages")
if problems:
    sys.exit("\n".join(problems))
