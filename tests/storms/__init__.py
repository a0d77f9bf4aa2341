"""
The long storms: `python -m storms --seed 1 2 3`, from the folder `tests` or with it on the path.

    weather.py   what the server answers: good days, bad days, and a gate
    server.py    the server, in a process of its own
    losses.py    what a storm has left behind, on either transport
    rows.py      the storms themselves, of any size: short ones are tests
    __main__.py  all of them at full size
    fleet.py     processes that share one rate by Redis: `python -m storms.fleet`, and short ones are tests
    fleet_tokens.py  processes that share one token: `python -m storms.fleet_tokens`
    bulk.py      an export by Celery of which a process is killed: `python -m storms.bulk`
"""
