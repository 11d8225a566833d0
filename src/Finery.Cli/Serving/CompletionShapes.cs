using System.Text;
using System.Text.Json.Nodes;
using Finery.Cli.Inference;
using Finery.Models.Generation;

namespace Finery.Cli.Serving;

/// <summary>The JSON of one response: the same fields whether it is sent whole or in events.</summary>
/// <param name="isChat">Chat completions rather than text completions.</param>
/// <param name="engine">Names the model and decodes tokens.</param>
/// <param name="created">Unix time in seconds.</param>
public sealed class CompletionShapes(bool isChat, TextEngine engine, long created)
{
    private readonly string _id = (isChat ? "chatcmpl-" : "cmpl-") + Guid.NewGuid().ToString("N");

    /// <summary>A response or an event.</summary>
    public JsonObject Envelope(bool isEvent, JsonArray choices) => new()
    {
        ["id"] = _id,
        ["object"] = !isChat ? "text_completion" : isEvent ? "chat.completion.chunk" : "chat.completion",
        ["created"] = created,
        ["model"] = engine.ModelId,
        ["choices"] = choices,
    };

    /// <summary>A whole answer.</summary>
    public JsonObject Choice(int index, string text, FinishReason finish, IReadOnlyList<TokenLogProbability>? logProbabilities)
    {
        var choice = new JsonObject { ["index"] = index };
        if (isChat) choice["message"] = new JsonObject { ["role"] = "assistant", ["content"] = text };
        else choice["text"] = text;
        choice["logprobs"] = logProbabilities is null ? null : LogProbabilities(logProbabilities);
        choice["finish_reason"] = Reason(finish);
        return choice;
    }

    /// <summary>A part of an answer.</summary>
    public JsonObject Delta(int index, string? text, FinishReason finish, IReadOnlyList<TokenLogProbability>? logProbabilities,
        bool isFirst = false)
    {
        var choice = new JsonObject { ["index"] = index };
        if (isChat)
        {
            var delta = new JsonObject();
            if (isFirst) delta["role"] = "assistant";
            if (text is not null) delta["content"] = text;
            choice["delta"] = delta;
        }
        else
        {
            choice["text"] = text ?? "";
        }
        choice["logprobs"] = logProbabilities is not { Count: > 0 } ? null : LogProbabilities(logProbabilities);
        choice["finish_reason"] = finish == FinishReason.None ? null : Reason(finish);
        return choice;
    }

    /// <summary>Token counts.</summary>
    public static JsonObject Usage(int prompt, int completion, int cached) => new()
    {
        ["prompt_tokens"] = prompt,
        ["completion_tokens"] = completion,
        ["total_tokens"] = prompt + completion,
        ["prompt_tokens_details"] = new JsonObject { ["cached_tokens"] = cached },
    };

    private static string Reason(FinishReason finish) => finish == FinishReason.Stop ? "stop" : "length";

    private JsonObject LogProbabilities(IReadOnlyList<TokenLogProbability> tokens)
    {
        if (isChat)
        {
            return new JsonObject
            {
                ["content"] = Array(tokens, token =>
                {
                    var entry = Entry(token.Id, token.Value);
                    entry["top_logprobs"] = Array(token.Alternatives, other => Entry(other.Id, other.LogProbability));
                    return entry;
                }),
            };
        }
        return new JsonObject
        {
            ["tokens"] = Array(tokens, token => JsonValue.Create(Text(token.Id))),
            ["token_logprobs"] = Array(tokens, token => JsonValue.Create(token.Value)),
            ["top_logprobs"] = Array(tokens, token =>
            {
                var likeliest = new JsonObject();
                foreach (var (id, value) in token.Alternatives) likeliest[Text(id)] = value;
                return likeliest;
            }),
        };
    }

    private JsonObject Entry(int id, float value) => new()
    {
        ["token"] = Text(id),
        ["logprob"] = value,
        ["bytes"] = Array(Bytes(id), part => JsonValue.Create((int)part)),
    };

    private static JsonArray Array<T>(IEnumerable<T> items, Func<T, JsonNode?> convert) => new([.. items.Select(convert)]);

    private string Text(int id) => Encoding.UTF8.GetString(Bytes(id));

    private byte[] Bytes(int id) => id < engine.Tokenizer.VocabSize ? engine.Tokenizer.DecodeBytes([id], skipSpecial: false) : [];
}
