using System.Text;
using System.Text.Json.Nodes;
using Xunit;

namespace Finery.Tests.Cli.Serving;

public class RequestErrorTests
{
    private const string Message = "\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]";

    /// <summary>Body of a chat request, status, param, code.</summary>
    public static TheoryData<string, int, string?, string?> Chats => new()
    {
        { "{}", 400, "messages", "missing_required_parameter" },
        { "{\"messages\":[]}", 400, "messages", "invalid_value" },
        { "{\"messages\":\"Hi\"}", 400, "messages", "invalid_type" },
        { "{\"messages\":[3]}", 400, "messages[0]", "invalid_type" },
        { "{\"messages\":[{\"content\":\"Hi\"}]}", 400, "messages[0].role", "missing_required_parameter" },
        { "{\"messages\":[{\"role\":\"robot\",\"content\":\"Hi\"}]}", 400, "messages[0].role", "invalid_value" },
        { "{\"messages\":[{\"role\":\"user\"}]}", 400, "messages[0].content", "missing_required_parameter" },
        { "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\"}]}]}",
            400, "messages[0].content[0]", "unsupported_parameter" },
        { "{\"messages\":[{\"role\":\"tool\",\"content\":\"x\"}]}", 400, "messages[0].role", "unsupported_parameter" },
        { "{" + Message + ",\"model\":\"gpt-4\"}", 404, "model", "model_not_found" },
        { "{" + Message + ",\"model\":7}", 400, "model", "invalid_type" },
        { "{" + Message + ",\"temperature\":3}", 400, "temperature", "invalid_value" },
        { "{" + Message + ",\"temperature\":\"hot\"}", 400, "temperature", "invalid_type" },
        { "{" + Message + ",\"top_p\":0}", 400, "top_p", "invalid_value" },
        { "{" + Message + ",\"n\":0}", 400, "n", "invalid_value" },
        { "{" + Message + ",\"n\":9}", 400, "n", "invalid_value" },
        { "{" + Message + ",\"n\":1.5}", 400, "n", "invalid_type" },
        { "{" + Message + ",\"max_tokens\":0}", 400, "max_tokens", "invalid_value" },
        { "{" + Message + ",\"max_tokens\":\"many\"}", 400, "max_tokens", "invalid_type" },
        { "{" + Message + ",\"stop\":[\"a\",\"b\",\"c\",\"d\",\"e\"]}", 400, "stop", "invalid_value" },
        { "{" + Message + ",\"stop\":\"\"}", 400, "stop", "invalid_value" },
        { "{" + Message + ",\"stop\":7}", 400, "stop", "invalid_type" },
        { "{" + Message + ",\"stop\":\"\\ud800\"}", 400, "stop", "invalid_value" },
        { "{" + Message + ",\"stream\":\"yes\"}", 400, "stream", "invalid_type" },
        { "{" + Message + ",\"stream_options\":{\"include_usage\":true}}", 400, "stream_options", "invalid_value" },
        { "{" + Message + ",\"top_logprobs\":2}", 400, "top_logprobs", "invalid_value" },
        { "{" + Message + ",\"tools\":[{\"type\":\"function\"}]}", 400, "tools", "unsupported_parameter" },
        { "{" + Message + ",\"response_format\":{\"type\":\"json_object\"}}", 400, "response_format", "unsupported_parameter" },
        { "{" + Message + ",\"logit_bias\":{\"5\":-100}}", 400, "logit_bias", "unsupported_parameter" },
        { "{" + Message + ",\"presence_penalty\":0.5}", 400, "presence_penalty", "unsupported_parameter" },
        { "{" + Message + ",\"temprature\":0.5}", 400, "temprature", "unknown_parameter" },
        { "[1]", 400, null, "invalid_json" },
        { "{\"messages\":", 400, null, "invalid_json" },
    };

    [Theory]
    [MemberData(nameof(Chats))]
    public async Task Bad_chats_are_refused_by_field(string body, int status, string? param, string? code)
    {
        await using var server = await ServerFixture.Start();
        Check(await server.Post("/v1/chat/completions", body), status, param, code);
    }

    [Theory]
    [InlineData("{}", "prompt", "missing_required_parameter")]
    [InlineData("{\"prompt\":5}", "prompt", "invalid_type")]
    [InlineData("{\"prompt\":[99999]}", "prompt", "invalid_value")]
    [InlineData("{\"prompt\":[]}", "prompt", "invalid_value")]
    [InlineData("{\"prompt\":\"a\",\"suffix\":\"b\"}", "suffix", "unsupported_parameter")]
    [InlineData("{\"prompt\":\"a\",\"best_of\":3}", "best_of", "unsupported_parameter")]
    [InlineData("{\"prompt\":\"a\",\"echo\":true,\"logprobs\":1}", "echo", "unsupported_parameter")]
    public async Task Bad_completions_are_refused_by_field(string body, string param, string code)
    {
        await using var server = await ServerFixture.Start();
        Check(await server.Post("/v1/completions", body), 400, param, code);
    }

    [Fact]
    public async Task A_prompt_longer_than_the_context_is_refused_with_both_counts()
    {
        await using var server = await ServerFixture.Start();
        var (status, body) =
            await server.Post("/v1/completions", $"{{\"prompt\":\"{string.Concat(Enumerable.Repeat("Gets ", 300))}\"}}");
        Check((status, body), 400, "prompt", "context_length_exceeded");
        Assert.Equal(TinyEngine.Context, (int)body["error"]!["n_ctx"]!);
        Assert.True((int)body["error"]!["n_prompt_tokens"]! >= TinyEngine.Context);
    }

    [Fact]
    public async Task Neutral_values_of_unsupported_features_are_accepted()
    {
        await using var server = await ServerFixture.Start();
        var (status, _) = await server.Chat(",\"max_tokens\":1,\"tools\":[],\"response_format\":{\"type\":\"text\"},"
            + "\"logit_bias\":{},"
            + "\"presence_penalty\":0,\"frequency_penalty\":0.0,\"user\":\"u\",\"stop\":null,"
            + "\"logprobs\":false,\"model\":\"tiny\"");
        Assert.Equal(200, status);
    }

    [Fact]
    public async Task Routes_methods_types_and_sizes_are_refused_in_the_same_form()
    {
        await using var server = await ServerFixture.Start(new() { BodyLimitBytes = 1000 });
        Check(await server.Post("/v1/nothing", "{}"), 404, null, "unknown_route");
        Check(await server.Post("/v1/models", "{}"), 405, null, "method_not_allowed");
        Check(await server.Post("/v1/completions", $"{{\"prompt\":\"{new string('a', 2000)}\"}}"), 413, null, null);
        using var text = new StringContent("{}", Encoding.UTF8, "text/plain");
        using var response = await server.Client.PostAsync("/v1/completions", text);
        Check(((int)response.StatusCode, JsonNode.Parse(await response.Content.ReadAsStringAsync())!.AsObject()), 415,
            null, "unsupported_media_type");
    }

    private static void Check((int Status, JsonObject Body) answer, int status, string? param, string? code)
    {
        Assert.Equal(status, answer.Status);
        var error = answer.Body["error"]!.AsObject();
        Assert.False(string.IsNullOrEmpty((string?)error["message"]));
        Assert.False(string.IsNullOrEmpty((string?)error["type"]));
        Assert.Equal(param, (string?)error["param"]);
        Assert.Equal(code, (string?)error["code"]);
    }
}
