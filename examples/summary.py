"""Says what is in an OCI archive that edgenode made: summary.py IMAGE.tar TESTS SECONDS"""

import json
import os
import sys
import tarfile
from pathlib import Path

COMPONENT = "ai.ratio1.edgenode."


def blob(archive, descriptor):
    return json.load(archive.extractfile("blobs/" + descriptor["digest"].replace(":", "/")))


def main(image, tests, seconds):
    with tarfile.open(image) as archive:
        manifest = blob(archive, json.load(archive.extractfile("index.json"))["manifests"][0])
        if "manifests" in manifest:
            # The first is the image, the others tell how it was made.
            manifest = blob(archive, manifest["manifests"][0])
        config = blob(archive, manifest["config"])
    layers = manifest["layers"]
    steps = [entry for entry in config.get("history", []) if not entry.get("empty_layer")]
    print("\nLayers, compressed:")
    for layer, step in zip(layers, steps):
        print(f"  {layer['size'] / 1e6:8.1f} MB  {step.get('created_by', '')[:90]}")
    print(f"  {sum(layer['size'] for layer in layers) / 1e6:8.1f} MB  in all, built in {seconds} s")
    print("\nComponents:")
    for label, version in sorted(config["config"]["Labels"].items()):
        if label.startswith(COMPONENT):
            print(f"  {label.removeprefix(COMPONENT):10} {version}")
    print("\nTests that passed:")
    for report in sorted(set(Path(tests).glob("*.txt")) - {Path(tests, "report.txt")}):
        print(f"  {report.stem}")
    print(f"\nThe image: {os.path.relpath(image)}")


main(*sys.argv[1:])
