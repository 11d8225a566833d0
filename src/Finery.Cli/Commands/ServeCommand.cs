using System.CommandLine;
using Finery.Cli.Serving;
using Finery.Cli.Terminal;
using Finery.Workflow.Runs;

namespace Finery.Cli.Commands;

/// <summary><c>finery serve</c>: an OpenAI-compatible HTTP server.</summary>
public static class ServeCommand
{
    /// <summary>The command.</summary>
    public static Command Create()
    {
        var defaults = new ServerOptions();
        var command = new Command("serve", "Serve a model over HTTP, with the API of OpenAI.");
        var model = new ModelArgument(command);
        var host = new Option<string>("--host") { Description = "Address to listen on.", DefaultValueFactory = _ =>
            defaults.Host };
        var port = new Option<int>("--port") { Description = "Port; 0 for a free one.", DefaultValueFactory = _ =>
            defaults.Port };
        var keys = new Option<string?>("--api-key-file") { Description = "File with accepted API keys, one per line. Needed " +
            "for any host but this machine." };
        var queue = new Option<int>("--queue") { Description = "Most requests that may wait; more get status 429.",
            DefaultValueFactory = _ => defaults.QueueLimit };
        foreach (Option option in new Option[] { host, port, keys, queue }) command.Add(option);
        command.SetAction(parsed =>
        {
            var options = defaults with
            {
                Host = parsed.GetValue(host)!,
                Port = parsed.GetValue(port),
                ApiKeys = parsed.GetValue(keys) is { } path ? ServerOptions.ReadKeys(path) : [],
                QueueLimit = parsed.GetValue(queue),
            };
            if (options.Port is < 0 or > 65535) throw new UsageException($"--port {options.Port} is not a port; use 0 to 65535.");
            if (options.QueueLimit < 0) throw new UsageException("--queue must not be negative.");
            // Before the model is loaded: a refusal should not take that long.
            options.ThrowIfUnsafe();
            return Serve(parsed, model, options).GetAwaiter().GetResult();
        });
        return command;
    }

    private static async Task<int> Serve(ParseResult parsed, ModelArgument model, ServerOptions options)
    {
        var streams = CommandLine.StreamsOf(parsed);
        using var engine = model.Load(parsed, streams);
        await using var server = await OpenAiServer.Start(engine, options);
        using var interruption = new Interruption("Stopping: no new requests, those being answered are finished.");
        streams.Messages.WriteLine($"Serving {engine.ModelId} at {server.Url}. Ctrl-C stops. Try:");
        string key = options.ApiKeys.Count > 0 ? " -H \"Authorization: Bearer $KEY\"" : "";
        (string route, string body) = engine.CanChat
            ? ("chat/completions", "{\"messages\": [{\"role\": \"user\", \"content\": \"Hello\"}]}")
            : ("completions", "{\"prompt\": \"Gets the\", \"max_tokens\": 32}");
        streams.Messages.WriteLine($"  curl {server.Url}/v1/{route}{key} -H \"Content-Type: application/json\" -d '{body}'");
        await Task.Delay(Timeout.Infinite, interruption.Stop).ContinueWith(_ => { }, TaskScheduler.Default);
        await server.Stop();
        return (int)ExitCode.Ok;
    }
}
