"""Secrets

Promised: a key, a token or a password in the configuration, under whatever key or on the command line, is refused with exit 2,
nothing written, and the environment variable that takes its place. What comes from the environment, from an address or from the
Hub's token store is in no message, log line that lidr repeats, file or page, also where a server or a child repeats it.

Not promised: the logs of programs that lidr starts are theirs, and lidr changes nothing in them. A secret of fewer than eight
characters is not looked for, nor is one that a model's answer holds in another encoding.
"""

import json
from pathlib import Path

import pytest
import yaml

from lidr_plugin import configure
from lidr_plugin.errors import InputError, LidrError
from lidr_plugin.errors.redaction import is_secret_name, redacted, remember
from tests.conftest import Lidr, prompts, settings, write_config, write_prompts
from tests.support import model
from tests.support.liar import Asked, Reply, completion, honest, is_trial, lying, program
from tests.support.trained import pretend

MARK = "MARKED-7f3a9c1e5b-secret"
TOKEN = "hf_MARKEDabcdefgh12345678"


def traces(folder: Path, mark: str = MARK) -> list[str]:
    """The files that hold a secret, but for those in which the test put it and the logs of children."""
    given = ("lidr.yaml", "token", "python", "llamafactory-cli", "vllm.log", "train.log", "M0.log")
    return [
        str(path)
        for path in folder.rglob("*")
        if path.is_file() and path.name not in given and mark.encode() in path.read_bytes()
    ]


PLACES = {
    "train.hub_token": ("HF_TOKEN", MARK),
    "train.hf_hub_token": ("HF_TOKEN", MARK),
    "train.ms_hub_token": ("MODELSCOPE_API_TOKEN", MARK),
    "train.om_hub_token": ("leave it out", MARK),
    "train.push_to_hub_token": ("HF_TOKEN", MARK),
    "train.swanlab_api_key": ("SWANLAB_API_KEY", MARK),
    "train.swanlab_lark_secret": ("leave it out", MARK),
    "train.swanlab_lark_webhook_url": ("leave it out", f"https://hook.invalid/{MARK}"),
    "train.env.HF_TOKEN": ("export HF_TOKEN", MARK),
    "train.env.WANDB_API_KEY": ("export WANDB_API_KEY", MARK),
    "train.env.AWS_SECRET_ACCESS_KEY": ("export AWS_SECRET_ACCESS_KEY", MARK),
    "train.env.MLFLOW_TRACKING_PASSWORD": ("export MLFLOW_TRACKING_PASSWORD", MARK),
    "train.env.CLIENT_SECRET": ("export CLIENT_SECRET", MARK),
    "train.env.GITHUB_PAT": ("export GITHUB_PAT", MARK),
    "train.env.DB_PASSWD": ("export DB_PASSWD", 4815162342),
    "train.env.HTTPS_PROXY": ("export HTTPS_PROXY", f"http://me:{MARK}@proxy.invalid:8080"),
    "train.env.OPTIONS": ("export OPTIONS", f"--verbose --token {MARK}"),
    "engine.args.api_key": ("VLLM_API_KEY", MARK),
    "engine.args.api-key": ("VLLM_API_KEY", [MARK, "other"]),
    "engine.args.hf_token": ("HF_TOKEN", MARK),
    "engine.args.kv_transfer_config": ("secrets come from", {"remote": {"password": MARK}}),
    "engine.args.middleware": ("secrets come from", f"x?access_token={MARK}"),
    "engine.env.HF_TOKEN": ("export HF_TOKEN", MARK),
    "engine.env.VLLM_API_KEY": ("export VLLM_API_KEY", MARK),
    "engine.base_url": ("api_key_env", f"http://127.0.0.1:9/v1?api_key={MARK}"),
    "engine.base_url.": ("api_key_env", [f"http://me:{MARK}@127.0.0.1:9/v1"]),
    "engine.api_key": ("OPENAI_API_KEY", MARK),
    "engine.api_key_env": ("name of the environment variable", MARK),
    "engine.api_key_env.": ("name of the environment variable", "sk_live_8fj2k39dkf02kd93kd"),
    "api_key": ("OPENAI_API_KEY", MARK),
    "hf_token": ("HF_TOKEN", MARK),
    "eval.judge": ("eval.judge.api_key_env", {"model": "j", "base_url": "http://127.0.0.1:9/v1", "api_key": MARK}),
    "eval.judge.": ("api_key_env", {"model": "j", "base_url": f"http://x:{MARK}@127.0.0.1:9/v1"}),
    "translation.engine": ("api_key_env", {"model": "t", "base_url": f"http://127.0.0.1:9/v1?key={MARK}&token={MARK}"}),
    "translation.engine.": ("translation.engine.api_key_env", {"model": "t", "apiKey": MARK}),
    "eval.lm_eval": ("OPENAI_API_KEY", {"tasks": ["arc"], "model_args": {"api_key": MARK}}),
    "eval.lm_eval.": ("HF_TOKEN", {"tasks": ["arc"], "model_args": {"token": MARK}}),
    "eval.lm_eval..": ("secrets come from", {"tasks": ["arc"], "args": {"hf_hub_log_args": f"org=me,token={MARK}"}}),
    "eval.lm_eval...": ("secrets", {"tasks": ["arc"], "model_args": {"header": {"Authorization": f"Bearer {MARK}"}}}),
    "generation.system": ("secrets come from", f"Your password is {MARK}."),
    "rank.scorer": ("api_key_env", {"model": "x", "base_url": f"http://u:{MARK}@127.0.0.1:9/v1"}),
    "mix_in": ("secrets come from", [{"prompts": f"https://x.invalid/{{language}}?token={MARK}", "share": 0.1}]),
    "translation.template": ("secrets come from", f"Use the API key {MARK}: {{language}} {{text}}"),
    "eval.skills": ("secrets come from", {"s": f"https://x.invalid/{{language}}?password={MARK}"}),
    "model_name_or_path": ("secrets come from", f"https://me:{MARK}@hub.invalid/x"),
    "store": ("secrets come from", f"postgres://me:{MARK}@db/x"),
    "eval.prompts": ("secrets come from", f"https://x.invalid/{{language}}?signature_token={MARK}"),
    "prompts": ("secrets come from", f"https://x.invalid/{{language}}.jsonl?X-Amz-Expires=60&X-Amz-Signature={MARK}"),
}
"""By key (dots at its end tell cases apart) what the message must hold, and the value."""


def told_and_nothing_else(folder: Path, done: "object") -> str:
    """What a refusal says; nothing but the configuration and the prompts is there."""
    output, errors, status = (getattr(done, name) for name in ("stdout", "stderr", "returncode"))
    assert status == 2, errors
    assert MARK not in output + errors
    assert not (folder / "run").exists()
    assert not traces(folder)
    return str(errors)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run's folder; the marked secret is also in the environment."""
    monkeypatch.setenv("SOME_API_KEY", MARK)
    monkeypatch.setenv("LIDR_HOME", str(tmp_path / "no-environments"))
    write_prompts(tmp_path, prompts(2))
    return tmp_path


@pytest.mark.parametrize("key", PLACES)
def test_a_secret_in_the_file_is_refused_with_the_variable_to_use(key: str, here: Path, lidr: Lidr) -> None:
    says, value = PLACES[key]
    config = write_config(here, **{key.rstrip(".").replace(".", "__"): value})
    errors = told_and_nothing_else(here, lidr("build-pairs", config))
    assert says in errors
    assert "lidr.yaml:" in errors


@pytest.mark.parametrize("key", PLACES)
def test_a_secret_on_the_command_line_is_refused_and_not_repeated(key: str, here: Path, lidr: Lidr) -> None:
    says, value = PLACES[key]
    config = write_config(here)
    errors = told_and_nothing_else(here, lidr("build-pairs", config, f"{key.rstrip('.')}={json.dumps(value)}"))
    assert says in errors


@pytest.mark.parametrize("command", ["train", "eval", "probe", "plan", "iterate", "doctor"])
def test_every_command_that_reads_a_configuration_refuses(command: str, here: Path, lidr: Lidr) -> None:
    told_and_nothing_else(here, lidr(command, write_config(here, train={"hub_token": MARK})))
    told_and_nothing_else(here, lidr(command, write_config(here), f"engine.args.api_key={MARK}"))


@pytest.mark.parametrize(
    "argument",
    ["train.hub_token=[%s", "train={env: {HF_TOKEN: %s", "train.env={WANDB_API_KEY: '%s", "engine.api_key=\t%s"],
)
def test_an_override_that_cannot_be_read_is_not_repeated(argument: str, here: Path, lidr: Lidr) -> None:
    told_and_nothing_else(here, lidr("build-pairs", write_config(here), argument % MARK))


def test_a_section_of_the_wrong_kind_is_not_shown(here: Path, lidr: Lidr) -> None:
    text = yaml.safe_dump(settings(here)).replace("engine:", "engine_:") + f"engine: 'token={MARK}'\n"
    (here / "lidr.yaml").write_text(text)
    told_and_nothing_else(here, lidr("build-pairs", here / "lidr.yaml"))


GOOD = {
    "engine.args": {
        "max_num_batched_tokens": 8192,
        "tokenizer": "x",
        "ssl_keyfile": "/etc/key.pem",
        "tokenizer_mode": "auto",
    },
    "train.env": {"TOKENIZERS_PARALLELISM": "false", "NNODES": 2, "HF_TOKEN_PATH": "/home/me/token", "PWD": "/home"},
    "train": {"add_tokens": "<a>,<b>", "hub_token": None, "ignore_pad_token_for_loss": True, "push_to_hub": False},
    "generation": {"system": "Explain what password=hunter2 means; an API key looks like sk-… or token=abc."},
    "eval.lm_eval": {
        "tasks": ["arc"],
        "model_args": {"max_gen_toks": 5, "eos_token": "<|end|>", "add_bos_token": True},
    },
    "engine": {"backend": "openai", "base_url": "http://127.0.0.1:9/v1", "api_key_env": "my_openai_key_2"},
    "columns": {"id": "key", "instruction": "token"},
}


@pytest.mark.parametrize("key", ["not-needed", "lm-studio", "sk-no-key-required", "EMPTY", "none", "ollama"])
def test_what_servers_without_a_key_are_given_is_no_secret(key: str, here: Path, lidr: Lidr) -> None:
    with lying(honest) as url:
        config = write_config(here, engine={"base_url": url, "model": "fake"}, output_dir=str(here / key / "run"))
        done = lidr("build-pairs", config, env={"OPENAI_API_KEY": key})
    assert done.returncode == 0, done.stderr
    assert (here / key / "run/report.json").exists()


@pytest.mark.parametrize("key", GOOD)
def test_what_only_sounds_like_a_secret_is_taken(key: str, here: Path, lidr: Lidr) -> None:
    done = lidr("plan", write_config(here, **{key.replace(".", "__"): GOOD[key]}))
    assert "secret" not in done.stderr


NAMES = {
    True: "OPENAI_API_KEY_EU SMTP_PASS HF_TOKEN_READ MY_JWT hub_token HF_TOKEN --api-key apiKey OPENAI_API_KEY2 wandb_api_key "
    "AWS_SECRET_ACCESS_KEY db.password X-Api-Key Authorization DB_PASSWD client_secret GH_PAT swanlab_lark_webhook_url "
    "SSH_KEY_PASSPHRASE accessToken COOKIE auth_token",
    False: "bypass compass access_key_id max_tokens tokenizer eos_token pad_token_id api_key_env HF_TOKEN_PATH PWD OLDPWD KEY "
    "sort_key keyboard monkey secret_name public_key password_file tokens num_token ssl_keyfile path pattern author SSH_AUTH_SOCK",
}


@pytest.mark.parametrize(
    ("name", "secret"), [(name, secret) for secret, names in NAMES.items() for name in names.split()]
)
def test_names_of_secrets(name: str, secret: bool) -> None:
    assert is_secret_name(name) == secret


TEXTS = [
    f"no answer from http://me:{MARK}@hub.invalid/api",
    f"GET https://api.invalid/v1/models?api_key={MARK}&x=1",
    f"https://{MARK}@host/path and more",
    f"https://generative.invalid/v1?alt=json&key={MARK}",
    f"incorrect API key provided: {MARK}",
    f'{{"api_key": "{MARK}", "model": "x"}}',
    f"args: {{'api_key': ['{MARK}'], 'port': 1}}",
    f"Authorization: Bearer {MARK}",
    f"vllm serve --api-key {MARK} --port 8000",
    f"HF_TOKEN={MARK} llamafactory-cli train",
    f"export WANDB_API_KEY='{MARK}'",
    f"the token of the log-in is {TOKEN}",
]


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_loses_its_secret_and_nothing_else(text: str) -> None:
    remember(MARK)
    shown = redacted(text)
    assert MARK not in shown
    assert TOKEN not in shown
    assert shown.startswith(text[:4])
    assert str(LidrError(text)) == shown
    assert redacted("max_tokens=2048, api_key_env=OPENAI_API_KEY: http://127.0.0.1/v1 a@b.c") == (
        "max_tokens=2048, api_key_env=OPENAI_API_KEY: http://127.0.0.1/v1 a@b.c"
    )


def repeating(asked: Asked) -> Reply:
    """The fake model, who repeats the key in every third answer."""
    key = asked.headers.get("Authorization", "")
    answer = honest(asked)
    if "messages" in asked.body and model.digest(str(asked.body["messages"])) % 3 == 0:
        return completion(f"{answer.content['choices'][0]['message']['content']} {key}")
    return answer


@pytest.mark.parametrize("variable", ["OPENAI_API_KEY", "MY_SERVER"])
def test_a_server_that_repeats_the_key_in_its_answers(variable: str, here: Path, lidr: Lidr) -> None:
    with lying(repeating) as url:
        engine = {"base_url": url, "model": "fake", "api_key_env": variable}
        evaluation = {"prompts": "prompts/{language}.jsonl", "judge": {**engine, "model": "fake"}, "limit": 2}
        config = write_config(here, engine=engine, eval={**evaluation, "models": {"a": "fake", "b": "fake"}})
        for command in (
            ["build-pairs", config, "--dry-run"],
            ["build-pairs", config],
            ["probe", config],
            ["eval", config],
        ):
            done = lidr(*command, env={variable: MARK})
            assert done.returncode == 0, done.stderr
            assert MARK not in done.stdout + done.stderr
        for command in (["report", "run"], ["store", "export", "run", "all.jsonl"], ["store", "verify", "run"]):
            assert lidr(*command, env={variable: MARK}).returncode == 0
    assert b"***" in (here / "all.jsonl").read_bytes()
    assert traces(here) == []


REFUSALS = {
    "refused": lambda key: Reply(401, {"error": {"message": f"Incorrect API key provided: {key}."}}),
    "of another kind": lambda key: Reply(400, f"bad header Authorization={key}".encode()),
    "busy": lambda key: Reply(429, {"error": f"too many requests for {key}"}),
    "failed": lambda key: Reply(500, {"detail": f"KeyError: {key}"}),
    "an error as an answer": lambda key: Reply(200, {"error": {"message": f"{key} has no credit", "code": 402}}),
    "no completion": lambda key: Reply(200, {"choices": [{"message": {"content": 5, "key": key}}]}),
}


@pytest.mark.parametrize("at", ["models", "trial", "answers"])
@pytest.mark.parametrize("how", REFUSALS)
def test_a_server_that_repeats_the_key_in_its_refusal(how: str, at: str, here: Path, lidr: Lidr) -> None:
    def reply(asked: Asked) -> Reply:
        place = "models" if asked.path.endswith("/models") else "trial" if is_trial(asked) else "answers"
        return REFUSALS[how](asked.headers["Authorization"]) if place == at else honest(asked)

    with lying(reply) as url:
        engine = {"base_url": url, "model": "fake", "max_retries": 0}
        config = write_config(here, engine=engine, eval={"prompts": "prompts/{language}.jsonl"})
        for command in ("build-pairs", "doctor", "probe", "eval"):
            done = lidr(command, config, env={"OPENAI_API_KEY": MARK})
            assert (
                done.returncode == 1
                or (command == "doctor" and at != "models")
                or (how, at) == ("no completion", "trial")
            )
            assert MARK not in done.stdout + done.stderr
        done = lidr("build-pairs", config, "engine.max_failures=999", env={"OPENAI_API_KEY": MARK})
        assert MARK not in done.stdout + done.stderr
    assert traces(here) == []


def test_the_hubs_address_its_token_and_its_token_store(here: Path, command: Lidr) -> None:
    (here / "home").mkdir()
    (here / "home/token").write_text(TOKEN)
    config = write_config(here, engine={"backend": "transformers"}, model_name_or_path="ns/model")
    with lying(lambda asked: Reply(500, {"error": f"{asked.headers} {TOKEN}"})) as url:
        env = {
            "HF_ENDPOINT": url.removesuffix("/v1").replace("//", f"//me:{MARK}@"),
            "HF_HOME": str(here / "home"),
            "HF_HUB_OFFLINE": "0",
            "LIDR_HOME": str(here / "lidr"),
        }
        for arguments in (
            ("build-pairs", config),
            ("eval", config, "eval.mgsm=hub:a/b"),
        ):
            done = command(*arguments, env=env)
            assert done.returncode in (1, 2), done.stderr
            assert MARK not in done.stdout + done.stderr
            assert TOKEN not in done.stdout + done.stderr
    assert traces(here) == []
    assert traces(here, TOKEN) == []


LEAK = """import os, sys
print('key', os.environ['SOME_API_KEY'], 'http://u:pass-of-this-user@host', '--token abcdefgh', file=sys.stderr)
sys.exit(3)
"""


def shows_the_log_without(done: "object") -> None:
    errors = str(getattr(done, "stderr", "")) + str(getattr(done, "stdout", ""))
    assert getattr(done, "returncode", 0) == 1, errors
    assert "key ***" in errors
    assert "--token ***" in errors
    assert "pass-of-this-user" not in errors


def test_the_lines_of_a_servers_log(here: Path, lidr: Lidr) -> None:
    (here / "model").mkdir()
    (here / "model/config.json").write_text("{}")
    python = program(here / "python", LEAK)
    config = write_config(
        here, engine={"backend": "vllm", "python": str(python)}, model_name_or_path=str(here / "model")
    )
    shows_the_log_without(lidr("build-pairs", config, "engine.env.VLLM_CPU_KVCACHE_SPACE=1"))
    assert traces(here) == []


def test_the_lines_of_a_training(here: Path, lidr: Lidr) -> None:
    env = pretend(here, here / "home")
    program(here / "home/envs/train/bin/python", LEAK)
    shows_the_log_without(lidr("train", write_config(here, train={"method": "full"}), env=env))
    assert traces(here) == []


def test_the_lines_of_the_harness(here: Path, lidr: Lidr) -> None:
    python = program(here / "python", LEAK)
    with lying(honest) as url:
        tasks = {"tasks": ["arc"], "python": str(python)}
        config = write_config(here, engine={"base_url": url, "model": "fake"}, eval={"lm_eval": tasks})
        shows_the_log_without(lidr("eval", config))
    assert traces(here) == []


def test_what_an_older_lidr_wrote_down_is_not_on_the_page(here: Path, lidr: Lidr) -> None:
    with lying(honest) as url:
        assert lidr("build-pairs", write_config(here, engine={"base_url": url, "model": "fake"})).returncode == 0
    old = {"hub_token": MARK, "learning_rate": 0.5, "report_to": [f"https://u:{MARK}@host"]}
    path = here / "run/config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "train": old, "engine": {"args": {"api_key": MARK}}}))
    (here / "run/train.json").write_text(json.dumps({"status": "begun", "training": old}))
    assert lidr("report", "run").returncode == 0
    assert sorted(traces(here)) == [str(path), str(here / "run/train.json")]
    assert "0.5" in (here / "run/report.html").read_text()


def test_a_configuration_of_the_api_is_no_place_either() -> None:
    with pytest.raises(InputError, match="export VLLM_API_KEY") as raised:
        configure(**{**settings(Path()), "engine": {"backend": "vllm", "args": {"api_key": MARK}}})
    assert MARK not in str(raised.value) + repr(raised.value)


def test_the_words_and_the_file_of_a_bug(here: Path, command: Lidr, monkeypatch: pytest.MonkeyPatch) -> None:
    code = f"import lidr_cli.main as m, sys\ndef broken(*_): raise RuntimeError('{MARK}')\nm._status = broken\nm.main()"
    monkeypatch.setattr("tests.conftest.LIDR", (__import__("sys").executable, "-c", code))
    done = command(env={"TMPDIR": str(here)})
    assert "bug" in done.stderr
    assert MARK not in done.stderr
    assert list(here.glob("*.traceback"))
    assert traces(here) == []
