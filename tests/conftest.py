"""What every test gets: real databases (stores.py), and shared suites whose failing asserts show their values."""

import pytest

pytest.register_assert_rewrite("contract_store")
pytest_plugins = ("stores",)
