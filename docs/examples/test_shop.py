async def test_an_order_is_paid_once(client, journal):
    response = await client.post("/orders/7/pay")

    assert await response.get_json() == {"state": "settled"}
    assert journal("payments.pay").count == 1
    assert journal.order == ("payments.login", "payments.pay", "payments.settled")


async def test_a_payment_that_is_refused_can_be_tried_again(client, stub):
    stub("payments", "POST", "/payments", name="refused", reply={"status": 402})
    stub("payments", "POST", "/payments", after="refused", reply=lambda call: {"status": 202})

    assert (await client.post("/orders/7/pay")).status_code == 402
    assert (await client.post("/orders/7/pay")).status_code == 200
