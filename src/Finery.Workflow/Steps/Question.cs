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
        int[] context = template.Encode([new("user", Text)], addGenerationPrompt: true).Ids;
        return new(context, [.. Choices.Select(choice => ToChoice(choice, template.EncodeReply(choice)))], Answer);
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
    public IReadOnlyList<ChatMessage> Messages(string key) =>
        [.. Array(key).Select(item => new ChatMessage(Get<string>((item as JsonObject)?["role"], key), Get<string>((item as JsonObject)?["content"], key)))];

    private JsonArray Array(string key) => Json[key] as JsonArray ?? throw new RecipeException($"{Where}: '{key}' must be a list.");

    private T Get<T>(JsonNode? node, string key) => node is JsonValue value && value.TryGetValue(out T? result)
        ? result
        : throw new RecipeException($"{Where}: '{key}' is missing or has the wrong type.");
}
