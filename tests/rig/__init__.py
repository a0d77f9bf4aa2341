"""
The rig: what fault tests need around a client, so that they nap never and prove what they say.

    server.py       FaultServer: a scripted HTTP server that can be as rude as a script says
    routes.py       what the server has been asked, and which script it answers with
    link.py         one connection, at the server's end
    script.py       what scripts are made of: answers, and steps such as drip, reset, hold
    tally.py        a number that any thread counts up and event loops wait for
    tls.py          certificates, good ones and bad ones
    turns.py        the turns of an event loop, and the moment in which it has nothing to do
    clock.py        FakeClock: time that passes when nothing else happens, or when a test says so
    surroundings.py the surroundings that a client reads when it is made
    canary.py       secrets that are given to clients, and the search for places where they turn up
    inspect.py      the only module that looks into a client: its gate and its connections
    leaks.py        Watch: what must be true after every test
    heartbeat.py    the largest gap in which the event loop did not turn
    goes.py         bounds of wall-clock time, held to on a machine that has other work too
    cancel.py       one call cancelled at every turn of the event loop
    storm.py        very many calls, cancelled at random, from a seed
    fixtures.py     all of it as fixtures
"""
