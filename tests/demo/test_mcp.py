"""The endpoints as tools, through a real MCP client: what an agent sees and gets."""

import asyncio
import base64
import json
import re

import httpx
import pytest
from serving import free_port

ClientSession = pytest.importorskip("mcp").ClientSession
streamablehttp_client = pytest.importorskip("mcp.client.streamable_http").streamablehttp_client


@pytest.fixture(scope="module")
def address(toy_model, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("uploads")))
        from demo.launch import Options, launch

        page = launch(Options(port=free_port(), mcp=True), wait=False)
        yield page.local_url.rstrip("/")
        page.close()


def asked(address, talk):
    """What ``talk(session)`` returns, as an agent of its own."""

    async def whole():
        url = f"{address}/gradio_api/mcp/"
        async with streamablehttp_client(url) as (read, write, _), ClientSession(read, write) as session:
            await session.initialize()
            return await talk(session)

    return asyncio.run(whole())


def call(address, tool, **arguments):
    async def progress(done, total, message):
        pass

    return asked(address, lambda session: session.call_tool(tool, arguments, progress_callback=progress))


def uploaded(address, path):
    """As Gradio's upload tool does it."""
    answer = httpx.post(f"{address}/gradio_api/upload", files={"files": path.read_bytes()}).json()
    return f"{address}/gradio_api/file={answer[0]}"


def data_url(path):
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()


def test_an_agent_tries_on_and_looks_why(address, pictures):
    person, garment = uploaded(address, pictures.person), data_url(pictures.garment)
    answer = call(address, "try_on", person=person, reference=garment, seed=5)
    assert not answer.isError
    kinds = [content.type for content in answer.content]
    assert kinds.count("image") >= 2  # the result and its flow
    run = re.search(r"'run': '([\w-]+)'", answer.content[-1].text).group(1)

    found = call(address, "trace", x=0.5, y=0.5, run=run)
    assert not found.isError and "'weight'" in found.content[0].text
    views = call(address, "views", run=run)
    assert not views.isError and "layers" in views.content[-1].text


def test_agents_do_not_see_each_others_results(address, pictures):
    answer = call(address, "try_on", person=data_url(pictures.person), reference=data_url(pictures.garment))
    assert not answer.isError
    for tool, arguments in (("trace", {"x": 0.5, "y": 0.5}), ("views", {})):
        other = call(address, tool, **arguments)
        assert other.isError and "give the run of its details" in other.content[0].text
    guessed = call(address, "trace", x=0.5, y=0.5, run="AAAAAAAAAAAA")
    assert guessed.isError and "no such run" in guessed.content[0].text


def test_every_tool_and_argument_is_described(address):
    tools = asked(address, lambda session: session.list_tools()).tools
    names = {tool.name for tool in tools}
    assert names >= {
        "try_on",
        "pose_transfer",
        "mask",
        "parts",
        "measure_garment",
        "trace",
        "views",
        "models",
    }
    for tool in tools:
        assert len(tool.description) > 40, tool.name
        for name, schema in tool.inputSchema["properties"].items():
            assert schema.get("description"), f"{tool.name}: {name} has no description"
    assert json.dumps([tool.inputSchema for tool in tools])


def test_errors_are_one_sentence(address, pictures):
    answer = call(address, "mask", person=data_url(pictures.nobody))
    assert answer.isError
    text = answer.content[0].text
    assert "person" in text and "Traceback" not in text and "\n" not in text
