using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Finery.Cli.Inference;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Finery.Cli.Serving;

/// <summary>
/// An OpenAI-compatible HTTP server over one model: <c>/v1/models</c>, <c>/v1/chat/completions</c>, <c>/v1/completions</c>,
/// <c>/health</c>, <c>/metrics</c>.
/// </summary>
public sealed class OpenAiServer : IAsyncDisposable
{
    private const int LongestRequestId = 128;
    private static readonly JsonSerializerOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly WebApplication _app;
    private readonly GenerationQueue _queue;

    private OpenAiServer(WebApplication app, GenerationQueue queue) => (_app, _queue) = (app, queue);

    /// <summary>Where it listens, such as <c>http://127.0.0.1:8080</c>.</summary>
    public string Url => _app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();

    /// <summary>Whose turn it is to generate.</summary>
    public GenerationQueue Queue => _queue;

    /// <summary>Starts to listen.</summary>
    /// <param name="engine">Generates; stays the caller's.</param>
    /// <param name="options">Where and for whom.</param>
    /// <exception cref="UsageException">Other machines could use it without a key.</exception>
    /// <exception cref="IOException">The port is taken.</exception>
    public static async Task<OpenAiServer> Start(TextEngine engine, ServerOptions options)
    {
        options.ThrowIfUnsafe();
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { Args = [] });
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton<IHostLifetime, NoLifetime>();
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = options.DrainTime);
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = options.BodyLimitBytes;
            kestrel.Listen(options.Address(), options.Port);
        });
        var app = builder.Build();
        var queue = new GenerationQueue(options.QueueLimit);
        var metrics = new ServerMetrics();
        var guard = new RequestGuard(options);
        var clock = TimeProvider.System;
        long created = clock.GetUtcNow().ToUnixTimeSeconds();
        var handler = new CompletionHandler(engine, queue, metrics, clock);

        app.Use((context, next) => Frame(context, next, guard, metrics));
        // Named explicitly so that the frame above surrounds it: otherwise routing would come first, and its refusals would lack
        // a body.
        app.UseRouting();
        app.MapGet("/health", context => Json(context, new JsonObject { ["status"] = "ok" }));
        app.MapGet("/v1/models", context =>
            Json(context, new JsonObject { ["object"] = "list", ["data"] = new JsonArray(Model(engine, created)) }));
        app.MapGet("/v1/models/{**id}", context => context.Request.RouteValues["id"] as string == engine.ModelId
            ? Json(context, Model(engine, created))
            : throw new ApiException(404, $"There is no such model; this server has '{engine.ModelId}'.", param: "model",
                code: "model_not_found"));
        app.MapGet("/metrics", context =>
        {
            context.Response.ContentType = "text/plain; version=0.0.4; charset=utf-8";
            return context.Response.WriteAsync(metrics.Exposition(queue));
        });
        app.MapPost("/v1/chat/completions", context => handler.Handle(context, isChat: true));
        app.MapPost("/v1/completions", context => handler.Handle(context, isChat: false));
        try
        {
            await app.StartAsync();
            return new OpenAiServer(app, queue);
        }
        catch
        {
            await app.DisposeAsync();
            throw;
        }
    }

    /// <summary>Stops listening and waits for the requests being answered, at most the drain time.</summary>
    public Task Stop() => _app.StopAsync();

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        _queue.Dispose();
    }

    /// <summary>What surrounds every request: its id, who may ask, and errors in the form clients know.</summary>
    private static async Task Frame(HttpContext context, RequestDelegate next, RequestGuard guard, ServerMetrics metrics)
    {
        var response = context.Response;
        response.Headers["X-Request-Id"] = RequestId(context.Request);
        response.Headers.XContentTypeOptions = "nosniff";
        try
        {
            guard.Check(context.Request);
            await next(context);
            if (!response.HasStarted && response.StatusCode is 404 or 405 && response.ContentLength is null)
                await Refuse(context, NoRoute(context));
        }
        catch (ApiException refusal)
        {
            await Refuse(context, refusal);
        }
        catch (BadHttpRequestException problem)
        {
            string message = problem.StatusCode == 413 ? "The request body is too large." : problem.Message;
            await Refuse(context, new ApiException(problem.StatusCode, message));
        }
        catch (NotSupportedException problem)
        {
            await Refuse(context, new ApiException(400, problem.Message, code: "unsupported"));
        }
        catch (Exception) when (context.RequestAborted.IsCancellationRequested)
        {
            // The client has gone: nobody is left to be told.
            return;
        }
        catch (Exception problem)
        {
            await Refuse(context, new ApiException(500, problem.Message, "server_error"));
        }
        metrics.CountResponse(response.StatusCode);
    }

    private static ApiException NoRoute(HttpContext context)
    {
        string route = $"{context.Request.Method} {context.Request.Path}";
        return context.Response.StatusCode == 405
            ? new ApiException(405, $"{route} is not allowed. Allowed: {context.Response.Headers.Allow}.",
                code: "method_not_allowed")
            : new ApiException(404, $"There is no {route}. See /v1/models, /v1/chat/completions, /v1/completions, /health.",
                code: "unknown_route");
    }

    private static async Task Refuse(HttpContext context, ApiException refusal)
    {
        if (context.Response.HasStarted) return;
        context.Response.StatusCode = refusal.Status;
        if (refusal.Status == 429) context.Response.Headers.RetryAfter = "1";
        if (refusal.Status == 401) context.Response.Headers.WWWAuthenticate = "Bearer";
        await Json(context, refusal.ToJson());
    }

    private static Task Json(HttpContext context, JsonObject body)
    {
        context.Response.ContentType = "application/json; charset=utf-8";
        return context.Response.WriteAsync(body.ToJsonString(Relaxed));
    }

    private static JsonObject Model(TextEngine engine, long created) => new()
    {
        ["id"] = engine.ModelId,
        ["object"] = "model",
        ["created"] = created,
        ["owned_by"] = "finery",
        ["meta"] = new JsonObject { ["n_ctx"] = engine.ContextLength, ["n_params"] = engine.ParameterCount,
            ["n_vocab"] = engine.Tokenizer.VocabSize },
    };

    private static string RequestId(HttpRequest request) =>
        request.Headers["X-Request-Id"] is [{ Length: > 0 and <= LongestRequestId } given]
            && given.All(letter => letter is > ' ' and < '\x7f')
            ? given
            : Guid.NewGuid().ToString("N");

    /// <summary>Signals are the command's business, not the host's.</summary>
    private sealed class NoLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
