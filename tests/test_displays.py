from __future__ import annotations

import re
import sys

import matplotlib
import matplotlib.figure
import numpy as np
import pandas as pd
import pytest
from evaluation_cases import mixed_table, says, shuffled
from sklearn.exceptions import NotFittedError

from tabgan.displays import (
    LatentSpaceDisplay,
    LatentWalkDisplay,
    LossDisplay,
    MarginalsDisplay,
    PairTrendDisplay,
    RowGridDisplay,
    TrajectoryDisplay,
)
from tabgan.evaluation import evaluate, mean_pair_trend, pair_trends
from tabgan.evaluation.drawing import axis_start, draw_column_shapes

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def drawn():
    """Draw each figure, strictly, and close it."""
    import matplotlib.pyplot as plt

    plt.close("all")
    yield
    for number in plt.get_fignums():
        plt.figure(number).canvas.draw()
    plt.close("all")


def texts(artists):
    return [artist.get_text() for artist in artists]


class Plane:
    """Stands for a fitted encoder: the latent features are the columns it is given."""

    def transform(self, X):
        return X


class Trained:
    def __init__(self, **losses):
        n_steps = len(next(iter(losses.values())))
        steps = np.arange(1, n_steps + 1)
        self.history_ = pd.DataFrame({"step": steps, "seconds": steps / 100} | losses)


class TestMarginalsDisplay:
    def test_every_kind_of_column(self):
        real = mixed_table(200, 0)
        real["since"] = real["day"] - real["day"].min()
        real["$name$"] = "a very long category name that goes on"
        real["none"] = np.nan
        real["never"] = pd.NaT
        real[7] = 1e15
        display = MarginalsDisplay.from_frames(real, shuffled(real))
        assert len(display.axes_) == len(display.marginals) == 11
        titles = texts(ax.title for ax in display.axes_)
        assert titles[0] == "size   1.000"
        assert titles[7].startswith(r"\$name\$")
        assert len(display.figure_.legends) == 1
        labels = texts(display.axes_[7].get_yticklabels())
        assert labels == ["a very long categ…"]
        missing = f"missing\nreal {real['price'].isna().mean():.1%}"
        assert missing in display.axes_[5].texts[0].get_text()

    def test_bars_show_the_shares(self):
        real = pd.DataFrame({"kind": list("aaab")})
        made = pd.DataFrame({"kind": list("aabb")})
        (ax,) = MarginalsDisplay.from_frames(real, made).axes_
        np.testing.assert_allclose([bar.get_width() for bar in ax.patches], [0.75, 0.25, 0.5, 0.5])

    def test_one_dominant_value_gets_a_logarithmic_axis(self):
        values = np.where(np.arange(1000) < 900, 0.0, np.arange(1000))
        table = pd.DataFrame({"gain": values, "age": np.arange(1000)})
        display = MarginalsDisplay.from_frames(table, table)
        assert [ax.get_yscale() for ax in display.axes_] == ["log", "linear"]

    def test_chosen_columns_on_given_axes(self):
        import matplotlib.pyplot as plt

        figure, axes = plt.subplots(1, 2)
        table = mixed_table(50, 0)
        display = MarginalsDisplay.from_frames(table, table, ["kind", "size"], axes=axes)
        assert display.figure_ is figure
        assert [m.name for m in display.marginals] == ["kind", "size"]
        assert axes[0].get_legend() is not None

    def test_clear_errors(self):
        import matplotlib.pyplot as plt

        table = mixed_table(50, 0)
        message = "axes must hold one Axes for each of the 6 columns, got 1."
        with pytest.raises(ValueError, match=says(message)):
            MarginalsDisplay.from_frames(table, table, axes=plt.figure().subplots())
        message = "columns must name at least one column to draw, got none."
        with pytest.raises(ValueError, match=says(message)):
            MarginalsDisplay.from_frames(table, table, [])


class TestPairTrendDisplay:
    def test_heat_map(self):
        real, made = mixed_table(100, 0), mixed_table(100, 1)
        display = PairTrendDisplay.from_frames(real, made)
        pd.testing.assert_frame_equal(display.trends, pair_trends(real, made))
        shown = display.ax_.images[0].get_array()
        assert np.isnan(np.ma.filled(shown, np.nan).diagonal()).all()
        assert texts(display.ax_.get_xticklabels()) == list(real)
        assert len(display.ax_.texts) == 30
        mean = mean_pair_trend(display.trends)
        assert display.ax_.get_title() == f"Pair trends, mean {mean:.3f}"

    def test_many_columns_are_not_labelled(self):
        table = pd.DataFrame(np.random.default_rng(0).normal(size=(20, 50)))
        display = PairTrendDisplay.from_frames(table, table)
        assert len(display.ax_.get_xticks()) == 0
        assert len(display.ax_.texts) == 0

    def test_given_axes(self):
        import matplotlib.pyplot as plt

        ax = plt.figure().subplots()
        table = mixed_table(30, 0)
        assert PairTrendDisplay.from_frames(table, table, ax=ax).figure_ is ax.figure

    def test_a_single_column(self):
        table = mixed_table(30, 0)[["size"]]
        assert PairTrendDisplay.from_frames(table, table).ax_.get_title().endswith("nan")


class TestLossDisplay:
    def test_lines(self):
        estimator = Trained(critic=np.arange(300.0), generator=-np.arange(300.0))
        display = LossDisplay.from_estimator(estimator)
        assert texts(display.ax_.get_legend().get_texts()) == ["critic", "generator"]
        assert display.ax_.get_xlabel() == "step"
        # A bold running median and the faint values themselves, of each.
        assert len(display.ax_.lines) == 4
        np.testing.assert_array_equal(display.ax_.lines[1].get_ydata(), np.arange(300.0))

    def test_figures_seen_now_and_then_are_joined(self):
        fidelity = np.where(np.arange(200) % 10 == 9, 0.5, np.nan)
        display = LossDisplay.from_estimator(Trained(critic=np.ones(200), fidelity=fidelity))
        line = display.ax_.lines[-2]
        assert len(line.get_xdata()) == 20 and np.isfinite(line.get_ydata()).all()

    def test_a_spike_at_the_start_does_not_flatten_the_rest(self):
        losses = np.sin(np.arange(500.0))
        losses[:3] = 1e6
        display = LossDisplay.from_estimator(Trained(generator=losses))
        assert display.ax_.get_ylim()[1] < 10

    @pytest.mark.parametrize("losses", [[1.0], [2.0, 2.0], [np.nan, 1.0, np.inf]])
    def test_short_and_broken_histories(self, losses):
        low, high = LossDisplay.from_estimator(Trained(loss=losses)).ax_.get_ylim()
        assert np.isfinite([low, high]).all() and low < high

    def test_clear_errors(self):
        message = "Plane has no history_ yet; call fit before drawing it."
        with pytest.raises(NotFittedError, match=says(message)):
            LossDisplay.from_estimator(Plane())
        with pytest.raises(ValueError, match=says("history_ holds no loss to draw.")):
            LossDisplay.from_estimator(Trained(loss=[np.nan]))


class TestLatentSpaceDisplay:
    points = np.random.default_rng(0).normal(size=(200, 3))

    def test_without_y(self):
        display = LatentSpaceDisplay.from_estimator(Plane(), self.points)
        drawn = display.ax_.collections[0].get_offsets()
        assert sorted(map(tuple, drawn)) == sorted(map(tuple, self.points[:, :2]))

    def test_classes(self):
        y = pd.Series(np.where(self.points[:, 0] > 0, "a class of a long name", "b"), name="kind")
        y[:20] = None
        legend = LatentSpaceDisplay.from_estimator(Plane(), self.points, y).ax_.get_legend()
        assert texts(legend.get_texts()) == ["missing", "a class of a long…", "b"]
        assert legend.get_title().get_text() == "kind"

    def test_points_keep_their_classes(self):
        y = self.points[:, 0] > 0
        display = LatentSpaceDisplay.from_estimator(Plane(), self.points, y)
        below, above = (drawn.get_offsets() for drawn in display.ax_.collections)
        assert (below[:, 0] <= 0).all() and (above[:, 0] > 0).all()

    def test_digits_in_order(self):
        y = np.arange(200) % 10
        legend = LatentSpaceDisplay.from_estimator(Plane(), self.points, y).ax_.get_legend()
        assert texts(legend.get_texts()) == [str(digit) for digit in range(10)]

    def test_many_classes(self):
        y = [f"class {i % 14}" for i in range(200)]
        legend = LatentSpaceDisplay.from_estimator(Plane(), self.points, y).ax_.get_legend()
        assert texts(legend.get_texts())[0] == "others"
        assert len(legend.get_texts()) == 11

    @pytest.mark.parametrize(
        "y",
        [
            np.arange(200.0),
            pd.Series(np.where(np.arange(200) < 9, np.nan, np.arange(200)), name="age"),
            pd.Series(pd.date_range("2020", periods=200)),
            pd.Series(pd.to_timedelta(np.arange(200), "h")),
        ],
    )
    def test_amounts_get_a_colour_bar(self, y):
        display = LatentSpaceDisplay.from_estimator(Plane(), self.points, y)
        assert len(display.figure_.axes) == 2
        assert display.ax_.get_legend() is None

    def test_names_of_a_frame(self):
        frame = pd.DataFrame(self.points, columns=["u", "v", "w"])
        display = LatentSpaceDisplay.from_estimator(Plane(), frame)
        assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("u", "v")

    def test_thinning(self):
        y = self.points[:, 0]
        display = LatentSpaceDisplay.from_estimator(Plane(), self.points, y, max_points=50)
        np.testing.assert_array_equal(display.points[:, 0], display.y)
        assert len(display.points) == 50

    def test_clear_errors(self):
        message = "estimator.transform must give at least two features, got 1."
        with pytest.raises(ValueError, match=says(message)):
            LatentSpaceDisplay.from_estimator(Plane(), self.points[:, :1])
        message = "y must have one value for each of 200 rows of X, got 2."
        with pytest.raises(ValueError, match=says(message)):
            LatentSpaceDisplay.from_estimator(Plane(), self.points, [0, 1])


class TestReportFigure:
    def test_plot(self):
        table = mixed_table(100, 0)
        figure = evaluate(table, shuffled(table)).plot()
        figure.canvas.draw()
        titles = texts(ax.title for ax in figure.axes)
        assert titles[0] == "Column shapes, mean 1.000"
        assert sum(bool(re.search(r"   \d\.\d{3}$", title)) for title in titles) == 6

    def test_a_notebook_shows_the_figure_once(self):
        """As the value of the cell, and not once more as a figure that pyplot has open."""
        import matplotlib.pyplot as plt

        table = mixed_table(50, 0)
        figure = evaluate(table, table).plot(n_marginals=0)
        assert plt.get_fignums() == []
        assert figure._repr_html_().startswith('<img alt="Figure" ')
        given = plt.figure()
        assert evaluate(table, table).plot(figure=given) is given

    @pytest.mark.parametrize(
        ("lowest", "start"),
        [(0.2, 0.0), (0.85, 0.8), (0.9, 0.8), (0.97, 0.95), (0.991, 0.99), (1.0, 0.999)],
    )
    def test_good_column_shapes_are_drawn_where_their_differences_show(self, lowest, start):
        assert axis_start(lowest) == start
        ax = matplotlib.figure.Figure().subplots()
        draw_column_shapes(pd.Series([1.0, lowest], index=["a", "b"]), ax)
        assert ax.get_xlim() == (start, 1.0)
        assert (f"the axis starts at {start:g}" in ax.get_xlabel()) == (start > 0)

    def test_one_column_and_many(self):
        one = mixed_table(30, 0)[["kind"]]
        titles = texts(ax.title for ax in evaluate(one, one).plot().axes)
        assert titles[0] == "Column shapes, mean 1.000"
        many = pd.DataFrame(np.random.default_rng(0).normal(size=(20, 35)))
        title = evaluate(many, many).plot(n_marginals=2).axes[0].get_title()
        assert title == "Column shapes, mean 1.000, the worst 30 of 35"

    def test_without_matplotlib(self, monkeypatch):
        for module in ("matplotlib.pyplot", "tabgan.evaluation.picture"):
            monkeypatch.setitem(sys.modules, module, None)
        table = mixed_table(30, 0)
        message = "Plotting needs matplotlib; install it with: pip install 'sklearn-tabgan[plot]'."
        for draw in (
            lambda: MarginalsDisplay.from_frames(table, table),
            lambda: PairTrendDisplay.from_frames(table, table),
            lambda: evaluate(table, table).plot(),
        ):
            with pytest.raises(ImportError, match=says(message)):
                draw()


# ---------------------------------------------------------------------- grids and paths


def test_images_fill_a_grid_from_left_to_right_with_a_frame_each():
    rows = np.arange(1.0, 25.0).reshape(6, 4)
    display = RowGridDisplay.from_rows(pd.DataFrame(rows), 3, image_shape=(2, 2))
    sheet = display.ax_.images[0].get_array()
    assert sheet.shape == (8, 12)
    np.testing.assert_array_equal(sheet[1:3, 5:7], rows[1].reshape(2, 2))
    np.testing.assert_array_equal(sheet[5:7, 1:3], rows[3].reshape(2, 2))
    assert (sheet[0] == 1).all()


def test_rows_without_image_shape_are_lines_on_one_scale():
    rows = np.array([[0.0, 1.0, 0.0], [0.0, 2.0, 4.0], [4.0, 4.0, 4.0], [0.0, 0.0, 0.0]])
    lines = RowGridDisplay.from_rows(rows, 2).ax_.lines
    heights = [line.get_ydata() for line in lines]
    np.testing.assert_allclose(heights[1] - 1.5, [-0.4, 0.0, 0.4])
    np.testing.assert_allclose(heights[3] - 0.5, -0.4)
    assert [line.get_xdata()[0] for line in lines] == pytest.approx([0.1, 1.1, 0.1, 1.1])


class Decoder:
    """A decoder of three features to four numbers: the features, and their sum."""

    def get_feature_names_out(self):
        return np.array(["a", "b", "c"])

    def inverse_transform(self, X):
        return np.column_stack([X, X.sum(axis=1)])


def test_a_walk_goes_right_and_up_with_the_rest_fixed():
    display = LatentWalkDisplay.from_estimator(
        Decoder(), features=(2, 0), at=[9.0, 5.0, 9.0], extent=1.0, n=3, image_shape=(2, 2)
    )
    codes = display.rows[..., :3]
    np.testing.assert_array_equal(codes[0, :, 2], [-1, 0, 1])
    np.testing.assert_array_equal(codes[:, 0, 0], [1, 0, -1])
    assert (codes[..., 1] == 5).all()


def test_paths_over_their_field():
    path, points = np.array([[1.0, 1.0], [0.5, 0.2]]), np.array([[0.0, 1.0], [2.0, 0.0]])
    display = TrajectoryDisplay.from_points({"plain": path}, points, np.array([[0, 3.0], [0, 0]]))
    np.testing.assert_array_equal(display.ax_.lines[0].get_xydata(), path)
    assert texts(display.ax_.get_legend().get_texts()) == ["plain"]
    arrows = display.ax_.collections[0]
    np.testing.assert_allclose([arrows.U, arrows.V], [[0, 0], [1, 0]])


@pytest.mark.parametrize(
    ("draw", "told"),
    [
        (
            lambda: RowGridDisplay.from_rows(np.ones((5, 4)), 3),
            "rows has 5 rows; give a positive multiple of n_across, 3.",
        ),
        (
            lambda: RowGridDisplay.from_rows(np.ones((3, 4)), 3, image_shape=(2, 3)),
            "image_shape is (2, 3), but rows have 4 numbers.",
        ),
        (
            lambda: LatentWalkDisplay.from_estimator(Decoder(), at=[1.0]),
            "at has 1 features, but the estimator gives 3.",
        ),
        (
            lambda: LatentWalkDisplay.from_estimator(Decoder(), features=(0, 3)),
            "features is (0, 3), but there are features 0 to 2.",
        ),
    ],
)
def test_what_grids_refuse(draw, told):
    with pytest.raises(ValueError, match=says(told)):
        draw()
