using System.Text.Json.Nodes;

namespace Finery.Data.Tokenizers;

/// <summary>One turn of a conversation.</summary>
/// <param name="Role"><c>system</c>, <c>user</c>, <c>assistant</c>, <c>tool</c>, or another that the template knows.</param>
/// <param name="Content">The text said; null for none, as in a turn that only calls tools.</param>
public sealed record ChatMessage(string Role, string? Content)
{
    /// <summary>Content that is not one text: a list of parts such as <c>{"type": "text", "text": ...}</c>, or an object. It takes
    /// the place of <see cref="Content"/>.</summary>
    public JsonNode? Parts { get; init; }

    /// <summary>Further fields, such as <c>tool_calls</c>, <c>name</c>, <c>tool_call_id</c>, <c>reasoning_content</c>.</summary>
    public JsonObject? Fields { get; init; }

    /// <summary>A message from its usual JSON form.</summary>
    /// <exception cref="InvalidDataException">It has no role, or content of the wrong type.</exception>
    public static ChatMessage FromJson(JsonNode? json)
    {
        if (json is not JsonObject message) throw new InvalidDataException("a message must be an object with 'role' and 'content'.");
        try
        {
            if (message["role"] is not JsonValue role || !role.TryGetValue(out string? name))
                throw new InvalidDataException("a message has no 'role', or one that is not text.");
            string? text = null;
            JsonNode? content = message["content"];
            if (content is JsonValue value && !value.TryGetValue(out text))
                throw new InvalidDataException("the 'content' of a message must be text, a list of parts, or null.");
            var rest = message.Where(field => field.Key is not ("role" or "content")).ToList();
            return new ChatMessage(name, text)
            {
                Parts = content is JsonValue ? null : content?.DeepClone(),
                Fields = rest.Count == 0 ? null : new JsonObject(rest.Select(field => KeyValuePair.Create(field.Key, field.Value?.DeepClone()))),
            };
        }
        catch (ArgumentException)
        {
            throw new InvalidDataException("a message has a field twice.");
        }
    }
}

/// <summary>A conversation as tokens.</summary>
/// <param name="Ids">Token ids.</param>
/// <param name="Trained">For each id, whether a model is trained to produce it: what the assistant says, with its end
/// token.</param>
public sealed record ChatTokens(int[] Ids, bool[] Trained);

/// <summary>A prompt and answers to it as tokens: prompt and answer together are the conversation.</summary>
/// <param name="Prompt">Ids up to the answer.</param>
/// <param name="Replies">Ids of each answer, its end token included.</param>
/// <param name="IsExact">Whether the prompt is what a model is given to answer. Else tokens at its end would merge with an
/// answer's beginning; the prompt is then cut to what all share, and the answers begin with the rest.</param>
public sealed record ChatReplies(int[] Prompt, IReadOnlyList<int[]> Replies, bool IsExact);

/// <summary>What a template is given beside messages.</summary>
public sealed record ChatOptions
{
    /// <summary>Tools in JSON schema form; none where the list is empty.</summary>
    public JsonArray? Tools { get; init; }

    /// <summary>Documents to answer from.</summary>
    public JsonArray? Documents { get; init; }

    /// <summary>Further variables, such as <c>enable_thinking</c>.</summary>
    public JsonObject? Variables { get; init; }
}

/// <summary>Something to know about a template before training with it.</summary>
/// <param name="Name">What was checked.</param>
/// <param name="IsProblem">Whether training or serving would suffer; else it is good to know.</param>
/// <param name="Message">What was found.</param>
public sealed record ChatFinding(string Name, bool IsProblem, string Message);
