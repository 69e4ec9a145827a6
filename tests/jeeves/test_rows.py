"""The tables of the contract tests are complete: it needs no running service to say so."""

from types import ModuleType

import pytest

from tests.functional.actions import test_contract as actions
from tests.functional.dataservice import test_contract as dataservice
from tests.functional.skeleton import test_contract as skeleton
from tests.functional.tokendealer import test_dealer_contract as tokendealer


@pytest.mark.parametrize("suite", [skeleton, tokendealer, dataservice, actions])
def test_every_documented_status_of_every_operation_has_a_row_or_a_reason(
    suite: ModuleType,
) -> None:
    documented = suite.CONTRACT.statuses()
    tested = {(row.operation, row.status) for row in suite.ROWS}

    assert documented - tested == set(suite.WITHOUT_A_ROW)
    assert tested <= documented
