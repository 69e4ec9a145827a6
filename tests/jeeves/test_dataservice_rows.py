"""The table of the contract tests is complete: it needs no running service to say so."""

from tests.functional.dataservice.test_contract import ROWS, WITHOUT_A_ROW, operations


def test_every_documented_status_of_every_operation_has_a_row_or_a_reason() -> None:
    documented = {
        (operation["operationId"], int(status))
        for _, _, operation in operations()
        for status in operation["responses"]
        if status != "default"
    }
    tested = {(row.operation, row.status) for row in ROWS}

    assert documented - tested == set(WITHOUT_A_ROW)
    assert tested <= documented
