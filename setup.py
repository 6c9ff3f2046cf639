"""What pyproject.toml cannot say: the inner loops of screening are compiled, where there is a compiler."""

from Cython.Build import cythonize
from setuptools import Extension, setup

KERNEL = Extension("placet.screening.kernel", ["src/placet/screening/kernel.pyx"], optional=True)

setup(ext_modules=cythonize([KERNEL], build_dir="build/kernel"))
