"""What pyproject.toml cannot say: the inner loops of screening are compiled, where there is a compiler."""

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext


class BuildKernel(build_ext):
    """An optional extension is one that may fail to be built, even because the compiler's program is not there."""

    def build_extension(self, ext: Extension) -> None:
        """Compile it; where that fails, say why and go on."""
        try:
            super().build_extension(ext)
        except Exception as error:  # noqa: BLE001 - whatever a compiler, or the want of one, raises
            self.warn(f"{ext.name} was not compiled, so that screening is several times slower: {error}")


KERNEL = cythonize(
    [Extension("placet.screening.kernel", ["src/placet/screening/kernel.pyx"])], build_dir="build/kernel"
)
for each in KERNEL:
    each.optional = True  # cythonize would not carry it over

setup(ext_modules=KERNEL, cmdclass={"build_ext": BuildKernel})
