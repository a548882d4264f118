"""Why something failed is said in words, with the evidence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.blocks import causes
from bot.blocks.language import Language, speaking

MACHINERY = "Element(job-b) execute Action: create failed: "


@pytest.mark.parametrize(
    ("reason", "message", "words"),
    [
        ("OOMKilled", "container exited with code 137", "job-b ran out of memory (exit 137, OOMKilled)"),
        ("Error", "java.lang.OutOfMemoryError: Java heap space", "job-b ran out of memory (Error)"),
        ("", "exit code 137", "job-b was killed, probably for lack of memory (exit 137)"),
        (
            "Evicted",
            "The node was low on resource: memory.",
            "job-b was evicted: its machine ran out of memory (Evicted)",
        ),
        ("Evicted", "The node was low on resource: ephemeral-storage.", "job-b ran out of disk (Evicted)"),
        ("", "write /out/x.bam: no space left on device", "job-b ran out of disk"),
        ("ImagePullBackOff", "", "job-b could not pull its image (ImagePullBackOff)"),
        ("ErrImagePull", "manifest unknown", "job-b could not pull its image (ErrImagePull)"),
        ("FailedScheduling", "0/3 nodes are available", "job-b found no machine with enough room (FailedScheduling)"),
        ("ExecutionTimeout", "timeout", "job-b hit its time limit (ExecutionTimeout)"),
        ("DeadlineExceeded", "", "job-b hit its time limit (DeadlineExceeded)"),
        ("", "process exited with status 143", "job-b was stopped (exit 143)"),
        ("Error", "exit status: 139", "job-b crashed (segmentation fault) (exit 139, Error)"),
        ("", "command terminated with exit code 127", "job-b could not find its command (exit 127)"),
        ("BackoffLimitExceeded", "", "job-b failed on every try (BackoffLimitExceeded)"),
        ("", "open /in/a.fq: permission denied", "job-b was denied access to something"),
    ],
)
def test_a_known_cause_is_in_words(reason: str, message: str, words: str) -> None:
    """By reason, message or exit code, with or without GCS's machinery in front."""
    assert causes.cause_words("job-b", reason, message) == words
    assert causes.cause_words("", reason, f"{MACHINERY}{message}") == words


@pytest.mark.parametrize(
    ("reason", "message", "words"),
    [
        ("", f"{MACHINERY}something new", "job-b failed: something new"),
        ("", "something new", "The execution failed: something new"),
        ("NewReason", f"{MACHINERY}something new", "job-b failed: something new (NewReason)"),
        ("NewReason", "", "The execution failed (NewReason)"),
        ("", "", "The execution failed"),
        ("", "exit code 3", "The execution failed (exit 3)"),
        ("Error", "Exited with code 3.", "The execution failed (exit 3, Error)"),
        ("", "exit code 0", "The execution failed: exit code 0"),
        ("", 'Could not parse: "##contig=<ID=c1>"', 'The execution failed: Could not parse: "##contig=&lt;ID=c1&gt;"'),
    ],
)
def test_an_unknown_cause_is_quoted(reason: str, message: str, words: str) -> None:
    """GCS's own text, without its machinery."""
    assert causes.cause_words("", reason, message) == words


def test_a_name_is_bold_and_a_reason_code() -> None:
    """In mrkdwn; neither can break out of it."""
    assert causes.cause("a*b", "OOMKilled", "") == "*a∗b* ran out of memory (`OOMKilled`)"


def test_a_chinese_reader_reads_chinese() -> None:
    """Known causes are translated, and others quoted from the Chinese half."""
    with speaking(Language.CHINESE):
        assert causes.cause_words("job-b", "OOMKilled", "exit code 137") == "job-b 内存不足（退出码 137，OOMKilled）"
        assert (
            causes.cause_words("", "", f"{MACHINERY}new", "元素(job-b)执行create失败. 新问题") == "job-b 失败：新问题"
        )
        assert causes.cause_words("", "", f"{MACHINERY}new") == "job-b 失败：new"


@pytest.mark.parametrize(
    ("said", "english", "chinese"),
    [
        (("", "new", "新问题"), "job-b failed: new", "job-b 失败：新问题"),
        (("", "new", ""), "job-b failed: new", "job-b 失败：new"),
        (("", "新问题", ""), "job-b failed: 新问题", "job-b 失败：新问题"),
        (("a new thing", "", "", "新问题"), "job-b failed: a new thing", "job-b 失败：新问题"),
        (("NewThing", "", "", "新问题"), "job-b failed (NewThing)", "job-b 失败：新问题（NewThing）"),
        (("NewThing", "new", "新"), "job-b failed: new (NewThing)", "job-b 失败：新（NewThing）"),
        (("", "stopped", "任务退出码:143"), "job-b was stopped (exit 143)", "job-b 被停止（退出码 143）"),
    ],
)
def test_each_reader_reads_their_half(said: tuple[str, ...], english: str, chinese: str) -> None:
    """Of reason and message; the other half where GCS has only that. A word of GCS's own stays beside it."""
    assert causes.cause_words("job-b", *said) == english
    with speaking(Language.CHINESE):
        assert causes.cause_words("job-b", *said) == chinese


def test_machinery_of_both_languages_is_stripped() -> None:
    """The step that it names is kept."""
    assert causes.parsed("元素(job-b)执行create失败. 超时") == ("job-b", "超时")
    assert causes.parsed(f"{MACHINERY}timeout") == ("job-b", "timeout")
    assert causes.parsed("Element(job-b) is well") == ("", "Element(job-b) is well")


@given(st.text(), st.tuples(*[st.text()] * 4))
def test_any_text_is_safe_and_short(name: str, texts: tuple[str, str, str, str]) -> None:
    """No markup, no mention, no wall of text."""
    for language in Language:
        with speaking(language):
            said = causes.cause(name, *texts)
        assert said
        assert len(said) < 500
        assert not {"<", ">", "\n"} & set(said)
