using System.Diagnostics;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Finery.Cli.Inference;
using Finery.Models.Generation;
using Microsoft.AspNetCore.Http;

namespace Finery.Cli.Serving;

/// <summary>Answers both completion endpoints, whole or as server-sent events.</summary>
/// <param name="engine">Generates.</param>
/// <param name="queue">Whose turn it is.</param>
/// <param name="metrics">Counts.</param>
/// <param name="clock">Tells the time of creation.</param>
public sealed class CompletionHandler(TextEngine engine, GenerationQueue queue, ServerMetrics metrics, TimeProvider clock)
{
    private static readonly JsonSerializerOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Answers a request.</summary>
    /// <exception cref="ApiException">It is refused; nothing has been sent.</exception>
    public async Task Handle(HttpContext context, bool isChat)
    {
        using var body = await ReadBody(context);
        var request = isChat ? CompletionRequest.Chat(body.RootElement, engine)
            : CompletionRequest.Completion(body.RootElement, engine);
        var shapes = new CompletionShapes(isChat, engine, clock.GetUtcNow().ToUnixTimeSeconds());
        using var turn = await queue.Enter(context.RequestAborted);
        if (request.Stream) await SendEvents(context, request, shapes, isChat);
        else await SendWhole(context, request, shapes);
    }

    private async Task SendWhole(HttpContext context, CompletionRequest request, CompletionShapes shapes)
    {
        var choices = new JsonArray();
        var totals = new Totals();
        foreach (var (index, prompt, settings) in Answers(request))
        {
            var text = new StringBuilder(request.Echo.Count > 0 ? request.Echo[index / request.Choices] : "");
            var logProbabilities = new List<TokenLogProbability>();
            var finish = FinishReason.None;
            foreach (var piece in Generate(prompt, settings, totals, context.RequestAborted))
            {
                text.Append(piece.Text);
                logProbabilities.AddRange(piece.LogProbabilities);
                finish = piece.Finish;
            }
            choices.Add(shapes.Choice(index, text.ToString(), finish, settings.LogProbabilities is null ? null
                : logProbabilities));
        }
        var response = shapes.Envelope(isEvent: false, choices);
        response["usage"] = CompletionShapes.Usage(totals.PromptTokens(request), totals.Generated, totals.Cached);
        response["timings"] = totals.Timings();
        context.Response.ContentType = "application/json; charset=utf-8";
        await context.Response.WriteAsync(response.ToJsonString(Relaxed), context.RequestAborted);
    }

    private async Task SendEvents(HttpContext context, CompletionRequest request, CompletionShapes shapes, bool isChat)
    {
        var response = context.Response;
        response.ContentType = "text/event-stream";
        response.Headers.CacheControl = "no-cache";
        response.Headers["X-Accel-Buffering"] = "no";
        var totals = new Totals();
        try
        {
            foreach (var (index, prompt, settings) in Answers(request))
            {
                if (isChat) await Send(shapes.Delta(index, "", FinishReason.None, null, isFirst: true));
                else if (request.Echo.Count > 0) await Send(
                    shapes.Delta(index, request.Echo[index / request.Choices], FinishReason.None, null));
                foreach (var piece in Generate(prompt, settings, totals, context.RequestAborted))
                {
                    if (piece.Text.Length > 0 || piece.LogProbabilities.Count > 0)
                        await Send(shapes.Delta(index, piece.Text, FinishReason.None, piece.LogProbabilities));
                    if (piece.Finish != FinishReason.None) await Send(shapes.Delta(index, null, piece.Finish, null));
                }
            }
            if (request.IncludeUsage)
            {
                var last = shapes.Envelope(isEvent: true, []);
                last["usage"] = CompletionShapes.Usage(totals.PromptTokens(request), totals.Generated, totals.Cached);
                last["timings"] = totals.Timings();
                await Write(last.ToJsonString(Relaxed));
            }
            await Write("[DONE]");
        }
        catch (Exception problem) when (problem is not OperationCanceledException
            && !context.RequestAborted.IsCancellationRequested)
        {
            await Write(new ApiException(500, problem.Message, "server_error").ToJson().ToJsonString(Relaxed));
        }

        Task Send(JsonObject choice)
        {
            var chunk = shapes.Envelope(isEvent: true, [choice]);
            if (request.IncludeUsage) chunk["usage"] = null;
            return Write(chunk.ToJsonString(Relaxed));
        }

        async Task Write(string data)
        {
            await response.WriteAsync($"data: {data}\n\n", context.RequestAborted);
            await response.Body.FlushAsync(context.RequestAborted);
        }
    }

    /// <summary>Every answer asked for; the seeds of several answers to one prompt are consecutive.</summary>
    private static IEnumerable<(int Index, int[] Prompt, TextRequest Request)> Answers(CompletionRequest request)
    {
        for (int index = 0; index < request.Prompts.Count * request.Choices; index++)
        {
            var settings = request.Text.Settings;
            ulong seed = unchecked(settings.Seed + (ulong)(index % request.Choices));
            yield return (index, request.Prompts[index / request.Choices],
                request.Text with { Settings = settings with { Seed = seed } });
        }
    }

    private IEnumerable<TextPiece> Generate(int[] prompt, TextRequest request, Totals totals, CancellationToken cancellation)
    {
        long start = Stopwatch.GetTimestamp(), first = 0;
        int tokens = 0;
        try
        {
            foreach (var piece in engine.Generate(prompt, request, cancellation))
            {
                if (first == 0) first = Stopwatch.GetTimestamp();
                tokens = piece.Tokens;
                yield return piece;
            }
        }
        finally
        {
            if (first == 0) first = Stopwatch.GetTimestamp();
            var end = Stopwatch.GetTimestamp();
            totals.Add(prompt.Length, engine.CachedTokens, tokens, Stopwatch.GetElapsedTime(start, first),
                Stopwatch.GetElapsedTime(first, end));
            metrics.CountGeneration(prompt.Length, engine.CachedTokens, tokens, Stopwatch.GetElapsedTime(start, end));
        }
    }

    private static async Task<JsonDocument> ReadBody(HttpContext context)
    {
        var request = context.Request;
        if (!request.HasJsonContentType())
        {
            throw new ApiException(
                415, $"The content type must be application/json, not '{request.ContentType}'.", code: "unsupported_media_type");
        }
        try
        {
            return await JsonDocument.ParseAsync(request.Body, cancellationToken: context.RequestAborted);
        }
        catch (JsonException problem)
        {
            throw new ApiException(
                400, $"The request body is not valid JSON (line {problem.LineNumber + 1}, " +
                    $"byte {problem.BytePositionInLine + 1}).", code: "invalid_json");
        }
    }

    /// <summary>Sums over the answers of one request.</summary>
    private sealed class Totals
    {
        private int _read;
        private TimeSpan _reading, _generating;

        public int Generated { get; private set; }

        public int Cached { get; private set; }

        /// <summary>A prompt with several answers counts once.</summary>
        public int PromptTokens(CompletionRequest request) => request.Prompts.Sum(prompt => prompt.Length);

        public void Add(int prompt, int cached, int generated, TimeSpan reading, TimeSpan generating)
        {
            if (_read == 0) Cached = cached;
            _read += prompt - cached;
            Generated += generated;
            _reading += reading;
            _generating += generating;
        }

        public JsonObject Timings() => new()
        {
            ["prompt_n"] = _read,
            ["prompt_ms"] = Math.Round(_reading.TotalMilliseconds, 3),
            ["predicted_n"] = Generated,
            ["predicted_ms"] = Math.Round(_generating.TotalMilliseconds, 3),
            ["predicted_per_second"] = _generating > TimeSpan.Zero ? Math.Round(Generated / _generating.TotalSeconds, 2) : 0,
            ["cache_n"] = Cached,
        };
    }
}
