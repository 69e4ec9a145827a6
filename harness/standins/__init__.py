"""What answers for outside services: stubs behind a door that the code under test can reach.

``journal`` is what every kind of stand-in shares: which stubs are selected, which of them
answers a call, and, in its ``ledger``, what was asked. ``server`` opens it as a loopback HTTP
server, whose side of a connection is ``connection``, and what it sends there a ``wire``. ``group``
holds a plan's stand-ins together, and ``desk`` tells other processes of them. ``named`` puts them
behind the mocks of aioresponses, made to work by ``aioresponses_repair``, and requests-mock.
"""
