"""Devices, machines and fit tiers."""

import pytest

from vram_tui.estimator.devices import Device, Machine, Tier, built_in_link, class_chain, halves, tier_of

GIB = 1 << 30


def device(known: str = "a", **values: object) -> Device:
    facts: dict[str, object] = {"memory_bytes": 24 * GIB, "usable_bytes": 23 * GIB, **values}
    return Device(known, known.upper(), "Maker", "consumer", "cuda-ada", **facts)  # type: ignore[arg-type]


def tier(known: str, nominal: int | None, usable: int | None) -> Tier:
    return Tier(known, known, known, known[0], known[0], nominal, usable, None, "a test")


TIERS = (tier("small", 24 * GIB, 23 * GIB), tier("large", 80 * GIB, 79 * GIB), tier("rest", None, None))


@pytest.mark.parametrize(
    ("total", "exact", "on_the_box"),
    [
        (23 * GIB, "small", "small"),
        (23 * GIB + 1, "large", "small"),
        (24 * GIB + 1, "large", "large"),
        (80 * GIB, "rest", "large"),
        (81 * GIB, "rest", "rest"),
    ],
)
def test_tiers_hold_up_to_their_size(total: int, exact: str, on_the_box: str) -> None:
    assert tier_of(total, TIERS).id == exact
    assert tier_of(total, TIERS, nominal=True).id == on_the_box


def test_no_tiers_is_an_error() -> None:
    with pytest.raises(ValueError, match="tiers"):
        tier_of(1, ())


def test_class_chain_widens() -> None:
    assert list(class_chain("cuda-ampere-datacenter")) == ["cuda-ampere-datacenter", "cuda-ampere", "cuda"]


def test_dies_share_everything() -> None:
    board = device(bandwidth_gbs=1000.0, tdp_w=500, price_usd=10.0)
    one, two = halves(board, 2)
    assert one == two
    assert (one.memory_bytes, one.usable_bytes, one.bandwidth_gbs) == (12 * GIB, 23 * GIB // 2, 500.0)
    assert (one.tdp_w, one.price_usd, one.fp16_tflops) == (250, 5.0, None)
    assert halves(board, 1) == (board,)


def test_budget_is_what_is_usable_or_less_if_less_is_free() -> None:
    machine = Machine("m", (device(), device()), free_bytes=(24 * GIB, 5 * GIB))
    assert [machine.budget_bytes(index) for index in (0, 1)] == [23 * GIB, 23 * GIB]
    assert [machine.budget_bytes(index, free=True) for index in (0, 1)] == [23 * GIB, 5 * GIB]


def test_free_memory_runs_parallel_to_the_devices() -> None:
    with pytest.raises(ValueError, match="free_bytes"):
        Machine("m", (device(),), free_bytes=())


def test_sums_need_every_figure() -> None:
    known, unknown = device(tdp_w=100, price_usd=5.0), device("b")
    assert (Machine("m", (known, known)).tdp_w, Machine("m", (known, known)).price_usd) == (200, 10.0)
    assert (Machine("m", (known, unknown)).tdp_w, Machine("m", (known, unknown)).price_usd) == (None, None)
    assert Machine("m", ()).tdp_w is None


def test_links() -> None:
    wired = device(peer_kind="nvlink", peer_gbs=900.0, peer_built_in=True, pcie="PCIe 5.0 x16")
    bridge = device("b", peer_kind="nvlink", peer_gbs=112.5, pcie="PCIe 4.0 x16")
    link = built_in_link((wired, wired))
    assert link is not None
    assert (link.kind, link.gbs_per_device) == ("nvlink", 900.0)
    for devices in ((bridge, bridge), (wired, bridge)):
        link = built_in_link(devices)
        assert link is not None
        assert (link.kind, link.name) == ("pcie", "PCIe 4.0 x16")
    shared = device("c", unified=True)
    link = built_in_link((shared, shared))
    assert link is not None
    assert link.kind == "ethernet"
    assert built_in_link((wired,)) is None
    assert wired.nvlink_gbs == 900.0
