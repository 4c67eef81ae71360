"""Write the sample raw files into a landing folder: `python tools/sample_data.py FOLDER`."""

from __future__ import annotations

import argparse
from pathlib import Path

from datamaster_kit.mock.samples import write_samples

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="the landing folder")
    landing = parser.parse_args().folder
    models = write_samples(landing)
    print(f"raw files of {', '.join(models)} are in {landing}")
