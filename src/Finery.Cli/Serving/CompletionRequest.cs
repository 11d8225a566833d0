using System.Text.Json;
using System.Text.Json.Nodes;
using Finery.Cli.Inference;
using Finery.Data.Tokenizers;
using Finery.Models.Generation;

namespace Finery.Cli.Serving;

/// <summary>A request to either completion endpoint, checked.</summary>
public sealed record CompletionRequest
{
    private const int MaxChoices = 8, MaxPrompts = 16, MaxStops = 4, MaxLogProbabilities = 20, DefaultCompletionTokens = 16;

    /// <summary>Prompts as token ids: one for a chat.</summary>
    public required IReadOnlyList<int[]> Prompts { get; init; }

    /// <summary>Text that <c>echo</c> repeats before each completion; empty when it was not asked for.</summary>
    public required IReadOnlyList<string> Echo { get; init; }

    /// <summary>Sampling and limits.</summary>
    public required TextRequest Text { get; init; }

    /// <summary>Answers per prompt.</summary>
    public int Choices { get; init; } = 1;

    /// <summary>Server-sent events rather than one body.</summary>
    public bool Stream { get; init; }

    /// <summary>A last event with the token counts.</summary>
    public bool IncludeUsage { get; init; }

    /// <summary>Reads a request to <c>/v1/chat/completions</c>.</summary>
    /// <exception cref="ApiException">Anything is wrong with it.</exception>
    public static CompletionRequest Chat(JsonElement body, TextEngine engine)
    {
        var fields = Open(body, engine);
        var messages = Messages(fields);
        long? most = fields.Whole("max_tokens", 1, int.MaxValue), newer = fields.Whole("max_completion_tokens", 1, int.MaxValue);
        fields.Refuse("tools", "Tools are", IsEmptyArray);
        fields.Refuse("functions", "Functions are", IsEmptyArray);
        fields.Refuse("tool_choice", "A tool choice is", value => value.ValueKind == JsonValueKind.String
            && value.GetString() is "none" or "auto");
        fields.Refuse("function_call", "Function calls are", value => value.ValueKind == JsonValueKind.String
            && value.GetString() is "none" or "auto");
        fields.Refuse("response_format", "A response format other than text is", IsTextFormat);
        fields.Refuse("modalities", "Output other than text is", value =>
            value.ValueKind == JsonValueKind.Array
                && value.EnumerateArray().All(item => item.ValueKind == JsonValueKind.String && item.ValueEquals("text")));
        fields.Refuse("audio", "Audio output is", _ => false);
        fields.Refuse("prediction", "Predicted output is", _ => false);
        int? logProbabilities = fields.Flag("logprobs") ? 0 : null;
        if (fields.Whole("top_logprobs", 0, MaxLogProbabilities) is { } alternatives)
        {
            if (logProbabilities is null && alternatives > 0)
                throw ApiException.Invalid("top_logprobs", "'top_logprobs' is only allowed with 'logprobs': true.");
            logProbabilities = logProbabilities is null ? null : (int)alternatives;
        }
        fields.Accept("parallel_tool_calls", "reasoning_effort", "verbosity");
        var options = TemplateOptions(fields);
        int[] prompt;
        try
        {
            prompt = engine.EncodeChat(messages, options);
        }
        catch (InvalidDataException problem)
        {
            throw ApiException.Invalid("messages", problem.Message);
        }
        return Close(fields, engine, [prompt], [], newer ?? most ?? engine.ContextLength, logProbabilities, "messages");
    }

    /// <summary>Reads a request to <c>/v1/completions</c>.</summary>
    /// <exception cref="ApiException">Anything is wrong with it.</exception>
    public static CompletionRequest Completion(JsonElement body, TextEngine engine)
    {
        var fields = Open(body, engine);
        var prompts = Prompt(fields, engine);
        long most = fields.Whole("max_tokens", 0, int.MaxValue) ?? DefaultCompletionTokens;
        bool echo = fields.Flag("echo");
        fields.Refuse("suffix", "A suffix is", value => value.ValueKind == JsonValueKind.String && value.GetString() is "");
        fields.Refuse("best_of", "best_of is", value => value.ValueKind == JsonValueKind.Number
            && value.TryGetInt32(out int best) && best == 1);
        int? logProbabilities = (int?)fields.Whole("logprobs", 0, MaxLogProbabilities);
        if (echo && logProbabilities is not null) throw ApiException.Unsupported("echo", "Log-probabilities of the prompt " +
            "('echo' with 'logprobs') are");
        return Close(
            fields, engine, [.. prompts.Select(prompt => prompt.Ids)], echo ? [.. prompts.Select(prompt => prompt.Text)]
                : [], most,
            logProbabilities, "prompt");
    }

    private static RequestFields Open(JsonElement body, TextEngine engine)
    {
        if (body.ValueKind != JsonValueKind.Object)
            throw new ApiException(400, "The request body must be a JSON object.", code: "invalid_json");
        var fields = new RequestFields(body);
        if (fields.Text("model") is { } model && model != engine.ModelId)
        {
            throw new ApiException(
                404, $"The model '{model}' does not exist here. This server has '{engine.ModelId}'; use that, or leave " +
                    $"'model' out.",
                param: "model", code: "model_not_found");
        }
        return fields;
    }

    private static CompletionRequest Close(
        RequestFields fields, TextEngine engine, IReadOnlyList<int[]> prompts, IReadOnlyList<string> echo, long maxTokens,
            int? logProbabilities,
        string promptField)
    {
        double topP = fields.Number("top_p", 0, 1, 1);
        if (topP == 0) throw ApiException.Invalid("top_p", "'top_p' is 0; it must be above 0 and at most 1.");
        var settings = new GenerationSettings
        {
            MaxTokens = (int)Math.Min(maxTokens, engine.ContextLength),
            Temperature = (float)fields.Number("temperature", 0, 2, 1),
            TopP = (float)topP,
            TopK = (int)Math.Max(0, fields.Whole("top_k", -1, int.MaxValue) ?? 0),
            RepetitionPenalty = (float)fields.Number("repetition_penalty", 0.01, 10, 1),
            Seed = fields.Whole("seed", long.MinValue, long.MaxValue) is { } seed ? unchecked((ulong)seed)
                : TextEngine.RandomSeed(),
        };
        bool stream = fields.Flag("stream");
        var request = new CompletionRequest
        {
            Prompts = prompts,
            Echo = echo,
            Text = new TextRequest(settings, Stops(fields), logProbabilities),
            Choices = (int)(fields.Whole("n", 1, MaxChoices) ?? 1),
            Stream = stream,
            IncludeUsage = StreamUsage(fields, stream),
        };
        fields.Refuse("logit_bias", "A logit bias is", value => value.ValueKind == JsonValueKind.Object
            && !value.EnumerateObject().Any());
        fields.Refuse("frequency_penalty", "A frequency penalty is", IsZero);
        fields.Refuse("presence_penalty", "A presence penalty is", IsZero);
        fields.Refuse("min_p", "min_p is", IsZero);
        fields.Accept("user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key");
        fields.RefuseRest();
        foreach (int[] prompt in prompts)
        {
            if (prompt.Length < engine.ContextLength) continue;
            throw new ApiException(
                400, $"The prompt has {prompt.Length} tokens; this model's context is {engine.ContextLength} tokens, " +
                "and at least one must be left for the answer. Shorten the prompt.", param: promptField,
                    code: "context_length_exceeded")
            { Figures = [("n_prompt_tokens", prompt.Length), ("n_ctx", engine.ContextLength)] };
        }
        return request;
    }

    private static List<ChatMessage> Messages(RequestFields fields)
    {
        if (fields.Find("messages") is not { } list)
            throw ApiException.Invalid("messages", "'messages' is missing: an array of {\"role\", " +
                "\"content\"}.", "missing_required_parameter");
        if (list.ValueKind != JsonValueKind.Array) throw RequestFields.Wrong("messages", "an array", list);
        var messages = new List<ChatMessage>();
        foreach (var item in list.EnumerateArray())
        {
            string name = $"messages[{messages.Count}]";
            if (item.ValueKind != JsonValueKind.Object) throw RequestFields.Wrong(name, "an object", item);
            var message = new RequestFields(item);
            string role = Prefixed(name, () => message.Text("role")) ?? throw ApiException.Invalid(
                name + ".role", $"'{name}.role' is missing.", "missing_required_parameter");
            if (role is "tool" or "function") throw ApiException.Unsupported(name + ".role", $"The role '{role}' is");
            if (role is not ("system" or "developer" or "user" or "assistant"))
                throw ApiException.Invalid(name
                    + ".role", $"'{name}.role' is '{role}'; it must be system, developer, user or assistant.");
            message.Refuse("tool_calls", "Tool calls are", IsEmptyArray);
            messages.Add(new ChatMessage(role == "developer" ? "system"
                : role, Content(message.Find("content"), name + ".content")));
        }
        if (messages.Count == 0) throw ApiException.Invalid("messages", "'messages' is empty; give at least one message.");
        return messages;
    }

    /// <summary>Variables for the chat template, such as <c>{"enable_thinking": false}</c>.</summary>
    private static ChatOptions? TemplateOptions(RequestFields fields)
    {
        if (fields.Find("chat_template_kwargs") is not { } value) return null;
        if (value.ValueKind != JsonValueKind.Object) throw RequestFields.Wrong("chat_template_kwargs", "an object", value);
        return new ChatOptions { Variables = JsonObject.Create(value) };
    }

    private static string Content(JsonElement? content, string name)
    {
        if (content is not { } value) throw ApiException.Invalid(name, $"'{name}' is missing.", "missing_required_parameter");
        if (value.ValueKind == JsonValueKind.String) return RequestFields.StringOf(name, value);
        if (value.ValueKind != JsonValueKind.Array) throw RequestFields.Wrong(name, "a string or an array of parts", value);
        var text = new System.Text.StringBuilder();
        int index = 0;
        foreach (var part in value.EnumerateArray())
        {
            string partName = $"{name}[{index++}]";
            if (part.ValueKind != JsonValueKind.Object) throw RequestFields.Wrong(partName, "an object", part);
            var fields = new RequestFields(part);
            string? type = Prefixed(partName, () => fields.Text("type"));
            if (type != "text") throw ApiException.Unsupported(partName, $"Content of type '{type}' is");
            text.Append(Prefixed(partName, () => fields.Text("text"))
                ?? throw ApiException.Invalid(partName
                    + ".text", $"'{partName}.text' is missing.", "missing_required_parameter"));
        }
        return text.ToString();
    }

    private static T Prefixed<T>(string prefix, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (ApiException problem)
        {
            throw ApiException.Invalid(prefix, $"In '{prefix}': {problem.Message}", "invalid_type");
        }
    }

    private static List<(int[] Ids, string Text)> Prompt(RequestFields fields, TextEngine engine)
    {
        if (fields.Find("prompt") is not { } value)
            throw ApiException.Invalid("prompt", "'prompt' is missing: a string, token ids, or an array of " +
                "either.", "missing_required_parameter");
        bool isList = value.ValueKind == JsonValueKind.Array
            && value.EnumerateArray().Any(item => item.ValueKind != JsonValueKind.Number);
        var items = isList ? value.EnumerateArray().ToList() : [value];
        if (items.Count > MaxPrompts) throw ApiException.Invalid("prompt",
            $"'prompt' has {items.Count} prompts; at most {MaxPrompts} are allowed.");
        return [.. items.Select(item => OnePrompt(item, engine))];
    }

    private static (int[] Ids, string Text) OnePrompt(JsonElement value, TextEngine engine)
    {
        if (value.ValueKind == JsonValueKind.String)
        {
            string text = RequestFields.StringOf("prompt", value);
            return (engine.EncodePrompt(text), text);
        }
        if (value.ValueKind != JsonValueKind.Array) throw RequestFields.Wrong("prompt", "a string, token ids, or an array of " +
            "either", value);
        var ids = new List<int>();
        foreach (var item in value.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.Number
                || !item.TryGetInt32(out int id)) throw RequestFields.Wrong("prompt", "a list of token ids", item);
            if (id < 0 || id >= engine.Tokenizer.VocabSize)
                throw ApiException.Invalid("prompt",
                    $"'prompt' has token id {id}; ids run from 0 to {engine.Tokenizer.VocabSize - 1}.");
            ids.Add(id);
        }
        if (ids.Count == 0) throw ApiException.Invalid("prompt", "'prompt' is an empty list.");
        return ([.. ids], engine.Tokenizer.Decode(ids.ToArray()));
    }

    private static List<string> Stops(RequestFields fields)
    {
        if (fields.Find("stop") is not { } value) return [];
        var items = value.ValueKind switch
        {
            JsonValueKind.String => [value],
            JsonValueKind.Array => value.EnumerateArray().ToList(),
            _ => throw RequestFields.Wrong("stop", "a string or an array of strings", value),
        };
        if (items.Count > MaxStops) throw ApiException.Invalid("stop",
            $"'stop' has {items.Count} sequences; at most {MaxStops} are allowed.");
        var stops = new List<string>();
        foreach (var item in items)
        {
            if (item.ValueKind != JsonValueKind.String) throw RequestFields.Wrong("stop", "a string or an array of strings",
                item);
            if (RequestFields.StringOf("stop",
                item) is not { Length: > 0 } text) throw ApiException.Invalid("stop", "'stop' contains an empty string.");
            stops.Add(text);
        }
        return stops;
    }

    private static bool StreamUsage(RequestFields fields, bool stream)
    {
        if (fields.Find("stream_options") is not { } options) return false;
        if (options.ValueKind != JsonValueKind.Object) throw RequestFields.Wrong("stream_options", "an object", options);
        if (!stream) throw ApiException.Invalid("stream_options", "'stream_options' is only allowed with 'stream': true.");
        return new RequestFields(options).Flag("include_usage");
    }

    private static bool IsEmptyArray(JsonElement value) => value.ValueKind == JsonValueKind.Array && value.GetArrayLength() == 0;

    private static bool IsZero(JsonElement value) => value.ValueKind == JsonValueKind.Number
        && value.TryGetDouble(out double number) && number == 0;

    private static bool IsTextFormat(JsonElement value) => value.ValueKind == JsonValueKind.Object
        && value.TryGetProperty("type", out var type) && type.ValueKind == JsonValueKind.String && type.ValueEquals("text");
}
