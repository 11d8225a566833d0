using System.Text.Json;
using System.Text.Json.Nodes;
using Finery.Data.Tokenizers.Jinja;

namespace Finery.Data.Tokenizers;

/// <summary>Conversations through a template, with marks in what people wrote (see <see cref="ContentGuard"/>).</summary>
internal sealed class ChatRenderer(JinjaTemplate template, TokenizerConfig config, ContentGuard guard, TimeProvider? clock)
{
    /// <summary>A conversation ready to be rendered, whole or in part.</summary>
    public Conversation Begin(IReadOnlyList<ChatMessage> messages, ChatOptions? options)
    {
        long length = 0;
        try
        {
            var variables = new Dictionary<string, object?>(StringComparer.Ordinal)
            {
                ["tools"] = options?.Tools is { Count: > 0 } tools ? Value(tools) : null,
                ["documents"] = options?.Documents is { } documents ? Value(documents) : null,
            };
            // those not set are not there, as in HF
            if (config.BosToken is { } bos) variables["bos_token"] = bos;
            if (config.EosToken is { } eos) variables["eos_token"] = eos;
            if (config.PadToken is { } pad) variables["pad_token"] = pad;
            if (config.UnkToken is { } unknown) variables["unk_token"] = unknown;
            foreach (var (name, value) in options?.Variables ?? []) variables[name] = Value(value);
            var values = new object?[messages.Count];
            for (int i = 0; i < values.Length; i++) values[i] = MessageValue(messages[i]);
            return new Conversation(this, messages, values, variables, length);
        }
        catch (TemplateError error)
        {
            throw new InvalidDataException($"A message cannot be used: {error.Message}", error);
        }

        object? Value(JsonNode? node) => JinjaTemplate.FromJson(node, guard.Protect, ref length);

        Mapping MessageValue(ChatMessage message)
        {
            int count = 2 + (message.Fields?.Count ?? 0);
            List<object?> keys = new(count) { "role", "content" }, held = new(count) { guard.Protect(message.Role) };
            length += message.Role.Length + (message.Content?.Length ?? 0) + 4;
            held.Add(message.Parts is { } parts ? Value(parts) : message.Content is { } text ? guard.Protect(text) : null);
            foreach (var (name, field) in message.Fields ?? [])
            {
                keys.Add(name);
                held.Add(Value(name == "tool_calls" ? WithParsedArguments(field) : field));
            }
            return Mapping.Of(keys, held);
        }
    }

    /// <summary>Arguments of calls as JSON rather than as text that holds JSON, as OpenAI's form has them.</summary>
    private static JsonNode? WithParsedArguments(JsonNode? calls)
    {
        if (calls is not JsonArray) return calls;
        JsonNode copy = calls.DeepClone();
        foreach (JsonNode? call in copy.AsArray())
        {
            if (call is not JsonObject outer) continue;
            JsonObject function = outer["function"] as JsonObject ?? outer;
            if (function["arguments"] is not JsonValue value || !value.TryGetValue(out string? text)) continue;
            try
            {
                if (JsonNode.Parse(text) is JsonObject parsed) function["arguments"] = parsed;
            }
            catch (JsonException)
            {
                // not JSON: the template gets the text
            }
        }
        return copy;
    }

    /// <summary>Messages as values, and the template's other variables.</summary>
    internal sealed class Conversation(
        ChatRenderer renderer, IReadOnlyList<ChatMessage> messages, object?[] values, Dictionary<string, object?> variables, long length)
    {
        /// <summary>The first so many messages as text, with marks.</summary>
        public JinjaResult Render(int count, bool addGenerationPrompt)
        {
            variables["messages"] = new Sequence(values[..count]);
            variables["add_generation_prompt"] = addGenerationPrompt;
            return renderer.Template.Render(variables, renderer.Clock, length);
        }

        /// <summary>Characters of the whole conversation's text that a model is trained to produce.</summary>
        public IReadOnlyList<(int Start, int End)> TrainedSpans(JinjaResult whole)
        {
            if (renderer.Template.HasGeneration)
            {
                return whole.LostGenerated ? throw new NotSupportedException("The chat template has generation blocks inside " +
                    "macros or 'set' blocks, where the place of what they print is not known. Put them at the top level.") : whole.Generated;
            }
            var spans = new List<(int, int)>();
            for (int i = 0; i < messages.Count; i++)
            {
                if (messages[i].Role != "assistant") continue;
                string before = Render(i, addGenerationPrompt: true).Text;
                string after = i + 1 == messages.Count ? whole.Text : Render(i + 1, addGenerationPrompt: false).Text;
                if (after.Length < before.Length || !after.StartsWith(before, StringComparison.Ordinal)
                    || !whole.Text.StartsWith(after, StringComparison.Ordinal))
                {
                    throw new NotSupportedException("The chat template has no generation blocks, and renders turn " +
                        $"{i + 1} differently when more follows or when it is answered, so what to train is not known. Use its " +
                        "training variant, with {% generation %} blocks, as chat_template.");
                }
                spans.Add((before.Length, EndOfTurn(after, before.Length)));
            }
            return spans;
        }

        /// <summary>Where a turn that begins at <paramref name="from"/> and ends the text has its last control token, if only white
        /// space follows; else the text's end.</summary>
        public int EndOfTurn(string text, int from)
        {
            int end = text.Length;
            while (end > from && Characters.IsSpace(text[end - 1])) end--;
            return renderer.Guard.EndsAt(text, from, end) ? end : text.Length;
        }
    }

    private JinjaTemplate Template => template;

    private ContentGuard Guard => guard;

    private TimeProvider? Clock => clock;
}
