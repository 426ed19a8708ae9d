"""The golden frames in the tree are those that tests/golden/make.py makes."""
import os
import subprocess
import sys

make = os.path.join(os.environ["WEFT_SOURCE_DIR"], "tests", "golden", "make.py")
sys.exit(subprocess.run([sys.executable, make, "--check"], check=False).returncode)
