"""When answers of several studies agree, and with what is true."""

import math

from benchmarks.agreement import Row, extent, rows
from fewest.search.answers.answer import Answer, NoAnswer


def answer(neurons: int, low: int, high: int) -> Answer:
    return Answer(neurons, (neurons,), (low, high), 0.95, 20)


def row(*findings, truth=None) -> Row:
    return Row(0.95, "1", "typical", findings, truth)


def test_answers_agree_where_their_intervals_overlap():
    found = row(answer(13, 12, 14), answer(14, 14, 15), answer(15, 15, 16))
    assert found.n_agreeing == 2
    assert found.n_within == (2, 6)  # 14 lies in 12-14, 15 in 14-15.


def test_without_an_answer_the_interval_has_no_upper_end():
    open_ = NoAnswer("needs more seeds", 32, 14)
    assert extent(open_) == (14, math.inf)
    assert row(open_, answer(13, 12, 14)).n_agreeing == 1
    assert row(open_, answer(12, 12, 13)).n_agreeing == 0
    assert row(open_, answer(12, 12, 13)).n_within == (0, 1)


def test_an_interval_is_true_when_it_holds_the_tables_answer():
    missed = NoAnswer("not reached", 32, 33)
    assert row(answer(13, 12, 14), answer(15, 14, 16), truth=13).n_true == 1
    assert row(missed, answer(13, 12, 14), truth=math.inf).n_true == 1
    assert row(missed, answer(13, 12, 14)).n_true == 2


def test_the_tables_answer_is_of_softmax_of_one_layer_and_of_both():
    table = {(): [0.5] * 4, (1,): [0.4] * 4, (2,): [0.7, 0.9, 0.9, 0.9]}
    studies = [{**table, (1, 1): [0.1] * 4}] * 2
    truths = {(found.target, found.depth, found.quantity): found.truth for found in rows(studies, [0.45, 0.8], table)}
    assert truths[0.45, "any", "typical"] == 0
    assert truths[0.45, "1", "typical"] == 2
    assert truths[0.8, "0", "possible"] == math.inf
    assert truths[0.8, "any", "typical"] == 2
    assert truths[0.8, "1", "reliable"] == math.inf
    assert truths[0.8, "2", "typical"] is None
