using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Finery.Data.Tokenizers;
using Finery.Evaluation.Tasks;

namespace Finery.Workflow.Steps;

/// <summary>A multiple-choice question: a line of the <see cref="ArtifactKind.Questions"/> artifact.</summary>
/// <param name="Context">What precedes the answer in the document, for a base model.</param>
/// <param name="Text">What a user asks, for a chat model.</param>
/// <param name="Choices">Answers to choose from.</param>
/// <param name="Answer">Index of the right one.</param>
internal sealed record Question(string Context, string Text, IReadOnlyList<string> Choices, int Answer)
{
    public static List<Question> Load(string path) => [.. JsonLinesFile.Read(path).Select(row => new Question(
        row.Text("context"), row.Text("question"), row.Texts("choices"), row.Integer("answer")))];

    /// <summary>The choices as they would go on in the document.</summary>
    public MultipleChoiceItem AsContinuation(Tokenizer tokenizer, int bos) => new(
        [bos, .. tokenizer.Encode(Context)], [.. Choices.Select(choice => ToChoice(choice, tokenizer.Encode(choice)))], Answer);

    /// <summary>The choices as replies to the question in the chat template.</summary>
    public MultipleChoiceItem AsReply(ChatTemplate template)
    {
        var (context, replies, _) = template.EncodeReplies([new("user", Text)], [.. Choices.Select(choice => new ChatMessage("assistant", choice))]);
        return new(context, [.. Choices.Zip(replies, ToChoice)], Answer);
    }

    private static Choice ToChoice(string text, int[] tokens) => new(tokens, text.Length, Encoding.UTF8.GetByteCount(text));
}

/// <summary>Reads the JSON Lines artifacts that steps exchange; an error names file and line.</summary>
internal static class JsonLinesFile
{
    public static IEnumerable<JsonRow> Read(string path)
    {
        int number = 0;
        foreach (string line in File.ReadLines(path))
        {
            number++;
            if (string.IsNullOrWhiteSpace(line)) continue;
            string where = $"{path}:{number}";
            JsonObject? json;
            try
            {
                json = JsonNode.Parse(line) as JsonObject;
            }
            catch (JsonException exception)
            {
                throw new RecipeException($"{where}: not valid JSON: {exception.Message}");
            }
            yield return new(json ?? throw new RecipeException($"{where}: expected a JSON object."), where);
        }
    }
}

/// <summary>One line of a JSON Lines artifact.</summary>
internal sealed record JsonRow(JsonObject Json, string Where)
{
    public string Text(string key) => Get<string>(Json[key], key);

    public int Integer(string key) => Get<int>(Json[key], key);

    public IReadOnlyList<string> Texts(string key) => [.. Array(key).Select(item => Get<string>(item, key))];

    /// <summary>Chat messages, as <c>[{"role": ..., "content": ...}]</c>.</summary>
    public IReadOnlyList<ChatMessage> Messages(string key) => With(() =>
    {
        var messages = Array(key).Select(ChatMessage.FromJson).ToList();
        return messages.Find(message => !Roles.Contains(message.Role)) is { } stranger
            ? throw new RecipeException($"{Where}: '{key}' has the unknown role \"{stranger.Role}\"; known are {string.Join(", ", Roles)}.")
            : messages;
    });

    /// <summary>What a row gives the chat template beside messages: <c>tools</c> (a list, or JSON text of one), <c>documents</c>,
    /// <c>chat_template_kwargs</c>.</summary>
    public ChatOptions? ChatOptions()
    {
        if (Json["tools"] is null && Json["documents"] is null && Json["chat_template_kwargs"] is null) return null;
        JsonNode? tools = Json["tools"] is JsonValue text && text.TryGetValue(out string? json) ? Parsed(json, "tools") : Json["tools"];
        return new ChatOptions
        {
            Tools = OrNull<JsonArray>(tools, "tools"),
            Documents = OrNull<JsonArray>(Json["documents"], "documents"),
            Variables = OrNull<JsonObject>(Json["chat_template_kwargs"], "chat_template_kwargs"),
        };
    }

    /// <summary>Runs something on this row; what is wrong with its messages is told with file and line.</summary>
    public T With<T>(Func<T> action)
    {
        try
        {
            return action();
        }
        catch (InvalidDataException problem)
        {
            throw new RecipeException($"{Where}: {problem.Message}");
        }
    }

    private static readonly string[] Roles = ["system", "developer", "user", "assistant", "tool", "function", "ipython"];

    private T? OrNull<T>(JsonNode? node, string key) where T : JsonNode => node is null ? null
        : node as T ?? throw new RecipeException($"{Where}: '{key}' has the wrong type.");

    private JsonNode? Parsed(string json, string key)
    {
        try
        {
            return json.Length == 0 ? null : JsonNode.Parse(json);
        }
        catch (JsonException problem)
        {
            throw new RecipeException($"{Where}: '{key}' is not valid JSON: {problem.Message}");
        }
    }

    private JsonArray Array(string key) => Json[key] as JsonArray ?? throw new RecipeException($"{Where}: '{key}' must be a list.");

    private T Get<T>(JsonNode? node, string key) => node is JsonValue value && value.TryGetValue(out T? result)
        ? result
        : throw new RecipeException($"{Where}: '{key}' is missing or has the wrong type.");
}
