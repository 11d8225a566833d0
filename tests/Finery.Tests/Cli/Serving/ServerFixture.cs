using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using Finery.Cli.Inference;
using Finery.Cli.Serving;

namespace Finery.Tests.Cli.Serving;

/// <summary>A real server on a free port of this machine, and a client.</summary>
internal sealed class ServerFixture : IAsyncDisposable
{
    private ServerFixture(TextEngine engine, OpenAiServer server)
    {
        (Engine, Server) = (engine, server);
        Client = new HttpClient { BaseAddress = new Uri(server.Url), Timeout = TimeSpan.FromSeconds(60) };
    }

    public TextEngine Engine { get; }

    public OpenAiServer Server { get; }

    public HttpClient Client { get; }

    public static async Task<ServerFixture> Start(ServerOptions? options = null)
    {
        var engine = TinyEngine.Create();
        return new(engine, await OpenAiServer.Start(engine, (options ?? new ServerOptions()) with { Port = 0 }));
    }

    public async Task<(int Status, JsonObject Body)> Post(string path, string json)
    {
        using var content = new StringContent(json, Encoding.UTF8, new MediaTypeHeaderValue("application/json"));
        using var response = await Client.PostAsync(path, content);
        return ((int)response.StatusCode, (await response.Content.ReadFromJsonAsync<JsonObject>())!);
    }

    public Task<(int Status, JsonObject Body)> Chat(string rest) =>
        Post("/v1/chat/completions", "{\"messages\":[{\"role\":\"user\",\"content\":\"What does Count do?\"}]" + rest + "}");

    public Task<(int Status, JsonObject Body)> Complete(string rest) =>
        Post("/v1/completions", "{\"prompt\":\"Gets the\"" + rest + "}");

    /// <summary>The events of a streamed answer, checked to be framed as events; [DONE] is checked and left out.</summary>
    public async Task<List<JsonObject>> Events(string path, string json)
    {
        using var content = new StringContent(json, Encoding.UTF8, new MediaTypeHeaderValue("application/json"));
        using var response = await Client.PostAsync(path, content);
        Xunit.Assert.Equal("text/event-stream", response.Content.Headers.ContentType!.MediaType);
        string text = await response.Content.ReadAsStringAsync();
        Xunit.Assert.EndsWith("data: [DONE]\n\n", text);
        var events = new List<JsonObject>();
        foreach (string block in text.Split("\n\n", StringSplitOptions.RemoveEmptyEntries)[..^1])
        {
            Xunit.Assert.StartsWith("data: {", block);
            Xunit.Assert.DoesNotContain('\n', block);
            events.Add(JsonNode.Parse(block["data: ".Length..])!.AsObject());
        }
        return events;
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await Server.DisposeAsync();
        Engine.Dispose();
    }
}
