"""What befalls one run, drawn from its seed alone. The same seed gives the same plan; the machine decides the rest.

Everything happens at a share of the run's progress (`progress`): calls made, of those that Messages 1 need.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from campaigns.chaos import points, timing
from campaigns.chaos.points import KILL, LOSE, STOP, Trap

WORKERS = 3
PEOPLE = 90
FIRST, SECOND = range(60), range(30, 90)  # who is in which campaign: a third of the people is in both
REFUSED = 3  # people who had opted out before
EXPECTED = len(FIRST) + len(SECOND) - REFUSED  # calls for all Messages 1: then the faults end

# The outcome of these calls cannot be known from their answer.
AMBIGUOUS = (
    "http_500_before", "http_502_before", "http_503_before", "http_504_before", "http_500_after", "http_502_after",
    "http_503_after", "http_504_after", "hang_before", "hang_after", "reset_before", "reset_after", "close_before",
    "close_after", "garbage_before", "garbage_after", "truncated", "cut_json", "no_id", "drip", "wrong_id_type",
    "empty", "html_after", "redirect",
)  # fmt: skip
REFUSALS = ("http_400", "http_400_code", "http_429", "http_429_bare", "http_200_error")
REPORTED = ("131026", "131026_then_delivered", "131049", "131000", "1002")
REPORTS_AGAIN = frozenset({"131000"})  # of these, the codes after which the product tries again
# People's habits, by weight; the answers come within a second or two.
BEHAVIOUR = {
    "weights": {
        "reads": 20, "never_reads": 8, "replies": 22, "replies_unread": 3, "taps_button": 8, "replies_emoji": 5,
        "reacts": 4, "replies_image": 3, "replies_twice": 5, "stops": 4, "opts_out": 2, "no_whatsapp": 2,
        "undeliverable": 2, "delivered_late": 2, "capped": 1,
    },
    "enqueued": [0.5, 3.0], "sent": [0.5, 4.0], "delivered": [0.5, 6.0], "read": [2.0, 20.0], "reply": [4.0, 24.0],
    "quoted": 0.5, "brazil": False,
}  # fmt: skip
SPEED = 40.0  # simulated seconds in one real second, until the faults end


@dataclass(frozen=True)
class Rate:
    """At most `limit` calls in any `window` seconds."""

    limit: int
    window: float

    @property
    def slack(self) -> float:
        """Seconds by which a call may miss its slot (the rule of docs/architecture.md, written down once more)."""
        return max(0.04, min(2.0, self.window / 30))

    @property
    def interval(self) -> float:
        return (self.window + self.slack) / self.limit


FAST, SLOW = Rate(1000, 8.0), Rate(150, 4.0)  # 121 and 36 a second: the second is always the bottleneck


@dataclass(frozen=True)
class Action:
    """Something done from outside, `at` a share of the progress: to a process slot, a campaign or a contact."""

    at: float
    what: str
    target: int = 0
    seconds: float = 0.0


# Who nudges: nobody (`manage.py dispatch`), Celery over Valkey, nobody beside a broker that is away all the time.
NO_BROKER, CELERY, AWAY = "none", "celery", "away"


@dataclass(frozen=True)
class Plan:
    """`traps` are handed out to the workers in the order in which they are started; `web_traps` to the web."""

    seed: int
    family: str
    faults: dict[str, float]
    actions: tuple[Action, ...]
    traps: tuple[tuple[Trap, ...], ...]
    web_traps: tuple[tuple[Trap, ...], ...]
    launcher_traps: tuple[Trap, ...]
    behaviour: dict[str, object] = field(default_factory=lambda: dict(BEHAVIOUR))
    lost_calls: float = 0.0  # share of calls that never leave us: refused connections, names that do not resolve
    rate: Rate = FAST
    broker: str = NO_BROKER

    @property
    def fault_spec(self) -> str:
        return ",".join(f"{name}={chance:.4f}" for name, chance in self.faults.items())

    def enabled(self, workers: int, webs: int) -> set[str]:
        """What this run enables and must be seen to fire over many runs, with so many processes started."""
        sets = (*self.traps[:workers], *self.web_traps[:webs], self.launcher_traps)
        deeds = {trap.name for traps in sets for trap in traps}
        return {action.what for action in self.actions} | set(self.faults) | {f"trap:{name}" for name in deeds}


def draw(seed: int) -> Plan:
    """A run in which everything may happen at once."""
    dice = random.Random(f"chaos/{seed}")
    return Plan(
        seed=seed,
        family="mixed",
        faults=_faults(dice),
        actions=tuple(sorted([*_attacks(dice), *_people(dice)], key=lambda action: action.at)),
        traps=tuple(_traps(dice) for _ in range(40)),
        web_traps=tuple(_web_traps(dice) for _ in range(8)),
        launcher_traps=(Trap(dice.choice(points.of_role(points.LAUNCHER)), dice.randint(1, 2)),) * dice.randint(0, 1),
        lost_calls=dice.choice((0.0, 0.03)),
        rate=SLOW if dice.random() < 0.12 else FAST,
    )


def with_broker(seed: int) -> Plan:
    """Real Celery workers, and a broker that is emptied and stopped; now and then one that never is there."""
    dice = random.Random(f"broker/{seed}")
    drawn = draw(seed)
    if dice.random() < 0.2:
        return replace(drawn, family="broker-away", broker=AWAY)
    attacks = [Action(_moment(dice), "flush_broker") for _ in range(dice.randint(1, 4))]
    attacks += [Action(_moment(dice), "stop_broker", seconds=dice.uniform(0.3, 1.5)) for _ in range(dice.randint(0, 2))]
    actions = tuple(sorted((*drawn.actions, *attacks), key=lambda action: action.at))
    return replace(drawn, family="broker", broker=CELERY, actions=actions)


def cells(names: list[str]) -> list[tuple[str, int]]:
    """Each point at the first passing; where a process passes often, at a later one and a late one too. `name:7` is
    that passing alone.
    """
    given = [(name, int(passing)) for name, _, passing in (one.partition(":") for one in names) if passing]
    free = [name for name in names if ":" not in name]
    often = [name for name in free if points.POINTS[name].role != points.LAUNCHER]
    return given + [(name, passing) for passing in (1, 4, 15) for name in (free if passing == 1 else often)]


def directed(seed: int, point: str, passing: int, deed: str = KILL) -> Plan:
    """A run in which every first worker (or the web, or a launcher) dies at one point at one passing."""
    dice = random.Random(f"points/{seed}/{point}/{passing}/{deed}")
    trap = (Trap(point, passing, deed),)
    role = points.POINTS[point].role
    return Plan(
        seed=seed,
        family=f"point-{Trap(point, passing, deed).name}-{passing}",
        faults=_faults(dice),
        actions=tuple(sorted(_people(dice), key=lambda action: action.at)),
        traps=(trap,) * (2 * WORKERS) if role == points.WORKER else (),
        web_traps=(trap,) * 3 if role == points.WEB else (),
        launcher_traps=trap if role == points.LAUNCHER else (),
    )


def _faults(dice: random.Random) -> dict[str, float]:
    """A mixture: few kinds with so many chances that each strikes; some runs are rough enough to open the breaker."""
    rough = dice.random() < 0.15
    share = dice.uniform(0.3, 0.4) if rough else dice.uniform(0.1, 0.15)
    chosen = dice.sample(AMBIGUOUS, 4)
    found = {name: share / len(chosen) for name in chosen}
    found |= {dice.choice(REFUSALS): 0.025}
    found |= dict.fromkeys(dice.sample(REPORTED, 2), 0.025)
    if dice.random() < 0.1:
        found["http_401"] = 0.02
    found["before_answer"] = 0.06
    return found | _callback_faults(dice)


def _callback_faults(dice: random.Random) -> dict[str, float]:
    found = {"callback.duplicate": 0.25, "callback.shuffle": 0.4, "callback.text_ts": 0.2, "callback.burst": 0.1}
    found |= {"callback.read_only": 0.05}
    if dice.random() < 0.5:  # not both: what came under an id that nobody explained cannot be asked for
        found |= {"callback.lost": 0.03, "callback.no_enqueued": 0.05, "callback.delay": 0.08}
    else:
        found["callback.no_gs_id"] = 0.15
    return found


def _moment(dice: random.Random) -> float:
    """Anywhere, and now and then before the first call."""
    return max(0.0, dice.uniform(-0.08, 0.95))


def _attacks(dice: random.Random) -> Iterator[Action]:
    for _ in range(dice.randint(2, 6)):
        yield Action(_moment(dice), "kill", dice.randrange(WORKERS))
    for _ in range(dice.randint(1, 3)):
        length = timing.LEASE * dice.uniform(0.3, 2.5)
        yield Action(_moment(dice), "stop", dice.randrange(WORKERS), length)
    for what, chance in (
        ("kill_web", 0.4),
        ("restart_postgres", 0.12),
        ("kill_backend", 0.3),
        ("terminate_backends", 0.3),
        ("lock_sender", 0.15),
    ):
        if dice.random() < chance:
            yield Action(_moment(dice), what, dice.randrange(1000), seconds=dice.uniform(0.2, 0.8))


def _people(dice: random.Random) -> Iterator[Action]:
    """What marketers and their readers do meanwhile. A pause lasts its seconds."""
    for _ in range(dice.randint(2, 5)):
        yield Action(_moment(dice), "opt_out", dice.randrange(PEOPLE - REFUSED))
    for _ in range(dice.randint(0, 2)):
        yield Action(_moment(dice), "pause", dice.randrange(2), dice.uniform(0.1, 0.6))
    yield Action(_moment(dice), "launch", dice.randrange(2))
    if dice.random() < 0.12:
        yield Action(dice.uniform(0.2, 0.95), "cancel", 1)


def _traps(dice: random.Random) -> tuple[Trap, ...]:
    """For one worker: mostly one death at a named point, sometimes a freeze or a lost answer on the way to it."""
    found = []
    if dice.random() < 0.6:
        found.append(Trap(dice.choice(points.of_role(points.WORKER)), _passing(dice)))
    if dice.random() < 0.15:
        point = dice.choice(("begin.after", "mark.after", "call.before", "call.wire", "record.before", "reap.inside"))
        found.append(Trap(point, _passing(dice), STOP))
    if dice.random() < 0.2:
        found.append(Trap(dice.choice(points.LOSABLE), _passing(dice), LOSE))
    return tuple(found)


def _web_traps(dice: random.Random) -> tuple[Trap, ...]:
    if dice.random() < 0.6:
        return (Trap(dice.choice(points.of_role(points.WEB)), dice.randint(1, 40)),)
    return ()


def _passing(dice: random.Random) -> int:
    """The first, one of the next, or a later one."""
    return dice.choice((1, dice.randint(2, 8), dice.randint(9, 30)))
