using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using Finery.Cli;
using Finery.Cli.Serving;
using Xunit;

namespace Finery.Tests.Cli.Serving;

public class OpenAiServerTests
{
    [Fact]
    public async Task Health_and_models_answer()
    {
        await using var server = await ServerFixture.Start();
        Assert.Equal("{\"status\":\"ok\"}", await server.Client.GetStringAsync("/health"));
        var models = JsonNode.Parse(await server.Client.GetStringAsync("/v1/models"))!;
        Assert.Equal("list", (string?)models["object"]);
        Assert.Equal(TinyEngine.Id, (string?)models["data"]![0]!["id"]);
        Assert.Equal("model", (string?)models["data"]![0]!["object"]);
    }

    [Fact]
    public async Task A_chat_completion_has_the_shape_of_OpenAIs()
    {
        await using var server = await ServerFixture.Start();
        var (status, body) = await server.Chat(",\"max_tokens\":8,\"temperature\":0");
        Assert.Equal(200, status);
        Assert.StartsWith("chatcmpl-", (string?)body["id"]);
        Assert.Equal("chat.completion", (string?)body["object"]);
        Assert.Equal(TinyEngine.Id, (string?)body["model"]);
        var choice = body["choices"]![0]!;
        Assert.Equal("assistant", (string?)choice["message"]!["role"]);
        Assert.False(string.IsNullOrEmpty((string?)choice["message"]!["content"]));
        Assert.Equal("length", (string?)choice["finish_reason"]);
        var usage = body["usage"]!;
        Assert.Equal(8, (int)usage["completion_tokens"]!);
        Assert.Equal((int)usage["prompt_tokens"]! + 8, (int)usage["total_tokens"]!);
    }

    [Fact]
    public async Task Streamed_chat_says_the_same_as_the_whole_one()
    {
        await using var server = await ServerFixture.Start();
        var (_, whole) = await server.Chat(",\"max_tokens\":20,\"seed\":3");
        var events = await server.Events("/v1/chat/completions",
            "{\"messages\":[{\"role\":\"user\",\"content\":\"What does Count " +
                "do?\"}],\"max_tokens\":20,\"seed\":3,\"stream\":true,\"stream_options\":{\"include_usage\":true}}");
        Assert.Single(events.Select(e => (string?)e["id"]).Distinct());
        Assert.All(events, e => Assert.Equal("chat.completion.chunk", (string?)e["object"]));
        var first = events[0]["choices"]![0]!["delta"]!;
        Assert.Equal("assistant", (string?)first["role"]);
        Assert.Equal("", (string?)first["content"]);
        var usage = events[^1];
        Assert.Empty(usage["choices"]!.AsArray());
        Assert.Equal((int)whole["usage"]!["total_tokens"]!, (int)usage["usage"]!["total_tokens"]!);
        var last = events[^2]["choices"]![0]!;
        Assert.Empty(last["delta"]!.AsObject());
        Assert.Equal((string?)whole["choices"]![0]!["finish_reason"], (string?)last["finish_reason"]);
        Assert.All(events[..^1], e => Assert.True(e.ContainsKey("usage") && e["usage"] is null));
        Assert.All(events[1..^2], e => Assert.Null(e["choices"]![0]!["finish_reason"]));
        string text = string.Concat(events[..^1].Select(e => (string?)e["choices"]![0]!["delta"]!["content"]));
        Assert.Equal((string?)whole["choices"]![0]!["message"]!["content"], text);
    }

    [Fact]
    public async Task Completions_take_strings_lists_and_token_ids()
    {
        await using var server = await ServerFixture.Start();
        var (_, one) = await server.Complete(",\"max_tokens\":5,\"temperature\":0,\"echo\":true");
        Assert.StartsWith("Gets the", (string?)one["choices"]![0]!["text"]);
        Assert.Equal("text_completion", (string?)one["object"]);
        string ids = string.Join(',', server.Engine.EncodePrompt("Gets the"));
        var (_, same) = await server.Post("/v1/completions", $"{{\"prompt\":[{ids}],\"max_tokens\":5,\"temperature\":0}}");
        Assert.Equal((string?)one["choices"]![0]!["text"], "Gets the" + (string?)same["choices"]![0]!["text"]);
        var (_, two) = await server.Post(
            "/v1/completions", "{\"prompt\":[\"Gets\",\"Removes\"],\"max_tokens\":3,\"n\":2,\"seed\":1}");
        Assert.Equal([0, 1, 2, 3], two["choices"]!.AsArray().Select(choice => (int)choice!["index"]!));
    }

    [Fact]
    public async Task The_same_seed_gives_the_same_text_and_n_gives_different_ones()
    {
        await using var server = await ServerFixture.Start();
        const string Request = ",\"max_tokens\":12,\"temperature\":1.5,\"seed\":11,\"n\":2";
        var (_, first) = await server.Complete(Request);
        await server.Complete(",\"max_tokens\":7,\"temperature\":1,\"seed\":5");
        var (_, second) = await server.Complete(Request);
        Assert.Equal(first["choices"]!.ToJsonString(), second["choices"]!.ToJsonString());
        Assert.NotEqual((string?)first["choices"]![0]!["text"], (string?)first["choices"]![1]!["text"]);
    }

    [Fact]
    public async Task A_stop_sequence_never_leaks_streamed_or_not()
    {
        await using var server = await ServerFixture.Start();
        var (_, free) = await server.Complete(",\"max_tokens\":40,\"temperature\":0");
        string text = (string)free["choices"]![0]!["text"]!;
        int at = Enumerable.Range(text.Length / 3, text.Length / 3)
            .First(i => text.AsSpan(i, 4).IndexOfAnyInRange('\ud800', '\udfff') < 0);
        string stop = text.Substring(at, 4), json = JsonValue.Create(stop).ToJsonString();
        string expected = text[..text.IndexOf(stop, StringComparison.Ordinal)];
        var (_, stopped) = await server.Complete($",\"max_tokens\":40,\"temperature\":0,\"stop\":[{json}]");
        Assert.Equal(expected, (string?)stopped["choices"]![0]!["text"]);
        Assert.Equal("stop", (string?)stopped["choices"]![0]!["finish_reason"]);
        var events = await server.Events("/v1/completions",
            $"{{\"prompt\":\"Gets the\",\"max_tokens\":40,\"temperature\":0,\"stream\":true,\"stop\":{json}}}");
        Assert.Equal(expected, string.Concat(events.Select(e => (string?)e["choices"]![0]!["text"])));
    }

    [Fact]
    public async Task Log_probabilities_have_the_shapes_of_both_endpoints()
    {
        await using var server = await ServerFixture.Start();
        var (_, chat) = await server.Chat(",\"max_tokens\":4,\"temperature\":0,\"logprobs\":true,\"top_logprobs\":2");
        var content = chat["choices"]![0]!["logprobs"]!["content"]!.AsArray();
        Assert.Equal(4, content.Count);
        Assert.Equal(2, content[0]!["top_logprobs"]!.AsArray().Count);
        Assert.Equal((double)content[0]!["logprob"]!, (double)content[0]!["top_logprobs"]![0]!["logprob"]!);
        var (_, text) = await server.Complete(",\"max_tokens\":4,\"temperature\":0,\"logprobs\":1");
        Assert.Equal(4, text["choices"]![0]!["logprobs"]!["token_logprobs"]!.AsArray().Count);
    }

    [Fact]
    public async Task Keys_are_required_where_set_except_for_health()
    {
        await using var server = await ServerFixture.Start(new ServerOptions { ApiKeys = ["secret", "other"] });
        Assert.Equal(HttpStatusCode.OK, (await server.Client.GetAsync("/health")).StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await server.Client.GetAsync("/v1/models")).StatusCode);
        foreach (var (key, expected) in new[] { ("secret", 200), ("other", 200), ("secre", 401), ("secret2", 401), ("", 401) })
        {
            server.Client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
            Assert.Equal(expected, (int)(await server.Client.GetAsync("/v1/models")).StatusCode);
        }
    }

    [Fact]
    public async Task Foreign_hosts_and_origins_are_refused_on_loopback()
    {
        await using var server = await ServerFixture.Start();
        Assert.Equal(421, await Status(request => request.Headers.Host = "evil.example"));
        Assert.Equal(403, await Status(request => request.Headers.Add("Origin", "http://evil.example")));
        Assert.Equal(200, await Status(request => request.Headers.Host = "localhost:1234"));
        Assert.Equal(200, await Status(request => request.Headers.Add("Origin", server.Server.Url)));

        async Task<int> Status(Action<HttpRequestMessage> change)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, "/v1/models");
            change(request);
            return (int)(await server.Client.SendAsync(request)).StatusCode;
        }
    }

    [Fact]
    public async Task Other_machines_are_refused_without_a_key()
    {
        using var engine = TinyEngine.Create();
        var problem = await Assert.ThrowsAsync<UsageException>(() =>
            OpenAiServer.Start(engine, new ServerOptions { Host = "0.0.0.0", Port = 0 }));
        Assert.Contains("--api-key-file", problem.Message);
        Assert.Throws<UsageException>(() => new ServerOptions { Host = "example.com" }.ThrowIfUnsafe());
    }

    [Fact]
    public async Task Requests_at_once_are_all_answered_alike()
    {
        await using var server = await ServerFixture.Start();
        const string Request = ",\"max_tokens\":16,\"temperature\":1,\"seed\":4";
        var answers = await Task.WhenAll(Enumerable.Range(0, 12).Select(_ => server.Complete(Request)));
        Assert.Single(answers.Select(answer => (string?)answer.Body["choices"]![0]!["text"]).Distinct());
        Assert.Equal(0, server.Server.Queue.Running);
    }

    [Fact]
    public async Task A_full_queue_refuses_and_a_disconnect_frees_the_slot()
    {
        await using var server = await ServerFixture.Start(new ServerOptions { QueueLimit = 1 });
        var turn = await server.Server.Queue.Enter(CancellationToken.None);
        using var leaving = new CancellationTokenSource();
        var waiting = server.Client.PostAsync("/v1/completions", Json("{\"prompt\":\"a\",\"max_tokens\":1}"), leaving.Token);
        await Until(() => server.Server.Queue.Waiting == 1);
        var (status, body) = await server.Complete("");
        Assert.Equal(429, status);
        Assert.Equal("queue_full", (string?)body["error"]!["code"]);
        leaving.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        await Until(() => server.Server.Queue.Waiting == 0);
        turn.Dispose();
        Assert.Equal(200, (await server.Complete("")).Status);
    }

    [Fact]
    public async Task Streams_cut_off_by_their_readers_leave_no_busy_slot()
    {
        await using var server = await ServerFixture.Start();
        for (int i = 0; i < 8; i++)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/completions")
            {
                Content = Json("{\"prompt\":\"Gets\",\"max_tokens\":150,\"n\":8,\"stream\":true}"),
            };
            using var response = await server.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
            await using var stream = await response.Content.ReadAsStreamAsync();
            await stream.ReadAtLeastAsync(new byte[64], 64);
        }
        await Until(() => server.Server.Queue is { Running: 0, Waiting: 0 });
        Assert.Equal(200, (await server.Complete("")).Status);
    }

    [Fact]
    public async Task Metrics_and_request_ids_are_there()
    {
        await using var server = await ServerFixture.Start();
        await server.Complete(",\"max_tokens\":5");
        // Counted once the response is on its way: a client may be here first.
        string metrics = "";
        for (int i = 0; i < 100 && !metrics.Contains("finery_generated_tokens_total 5\n", StringComparison.Ordinal); i++)
        {
            if (i > 0) await Task.Delay(20);
            metrics = await server.Client.GetStringAsync("/metrics");
        }
        Assert.Contains("finery_generated_tokens_total 5\n", metrics);
        metrics = await server.Client.GetStringAsync("/metrics");
        Assert.Matches("finery_responses_total{status=\"200\"} [1-9]", metrics);
        using var request = new HttpRequestMessage(HttpMethod.Get, "/health");
        request.Headers.Add("X-Request-Id", "abc-123");
        Assert.Equal("abc-123", (await server.Client.SendAsync(request)).Headers.GetValues("X-Request-Id").Single());
    }

    private static StringContent Json(string text) => new(text, Encoding.UTF8, "application/json");

    private static async Task Until(Func<bool> condition)
    {
        for (int i = 0; i < 3000 && !condition(); i++) await Task.Delay(10);
        Assert.True(condition());
    }
}
