import pytest

pytest.register_assert_rewrite("tests.crash.soundness", "tests.crash.crowd")
