using System.Text.Json.Nodes;
using Finery.Data.Tokenizers.Jinja;

namespace Finery.Data.Tokenizers;

/// <summary>Checks of a template, on short conversations.</summary>
internal sealed class ChatChecks(ChatTemplate template, Tokenizer tokenizer)
{
    private static readonly ChatMessage[] Talk = [new("user", "Hi there"), new("assistant", "Hello you"), new("user", "Bye now")];

    private readonly List<ChatFinding> _findings = [];

    public IReadOnlyList<ChatFinding> Run()
    {
        Try("stop token trained", CheckStop);
        Try("prefix preserved", CheckPrefix);
        if (!template.HasGeneration)
            _findings.Add(new("generation blocks", false,
                "The chat template has no generation blocks: what to train follows from rendering prefixes."));
        Try("one begin token", CheckBegin);
        return _findings;
    }

    /// <summary>A model that never learns to end its turn goes on for ever.</summary>
    private void CheckStop(string name)
    {
        ChatTokens chat = template.Encode(Talk);
        int last = -1;
        for (int i = 0; i < chat.Ids.Length; i++)
        {
            if (chat.Trained[i] && (tokenizer.IsSpecial(chat.Ids[i]) || !IsSpace(chat.Ids[i]))) last = chat.Ids[i];
        }
        if (last < 0) Problem(name, "The chat template marks nothing of the assistant's turn to be trained.");
        else if (!tokenizer.IsSpecial(last))
            Problem(name, $"The last token trained of an assistant's turn is \"{tokenizer.Decode([last])}\", not a control token: " +
                "the model would not learn to stop.");
    }

    /// <summary>Turns must read the same once more follows: else a model is trained on what it never sees.</summary>
    private void CheckPrefix(string name)
    {
        bool holds = IsPrefix(template.EncodePrompt(Talk[..1]), template.Render(Talk[..2]))
            && template.Render(Talk).StartsWith(template.Render(Talk[..2]), StringComparison.Ordinal);
        ChatMessage call = new("assistant", "")
        {
            Fields = new JsonObject
            {
                ["tool_calls"] = new JsonArray(new JsonObject
                {
                    ["type"] = "function", ["id"] = "abcdef123",
                    ["function"] = new JsonObject { ["name"] = "look", ["arguments"] = new JsonObject { ["at"] = "sky" } },
                }),
            },
        };
        ChatMessage result = new("tool", "blue") { Fields = new JsonObject { ["name"] = "look", ["tool_call_id"] = "abcdef123" } };
        try
        {
            holds &= template.Render([Talk[0], call, result]).StartsWith(template.Render([Talk[0], call]), StringComparison.Ordinal);
        }
        catch (Exception problem) when (problem is InvalidDataException or NotSupportedException)
        {
            _findings.Add(new(name, false, "The chat template knows no tool calls."));
        }
        if (!holds) Problem(name, "The chat template renders a turn differently once more turns follow; masks and multi-turn training may be wrong.");
    }

    private bool IsPrefix(int[] prompt, string whole) =>
        whole.StartsWith(tokenizer.Decode(prompt, skipSpecial: false), StringComparison.Ordinal) || !tokenizer.DecodesByteLevel;

    private void CheckBegin(string name)
    {
        if (tokenizer.BosId is not { } begin) return;
        int[] ids = template.EncodePrompt(Talk[..1]);
        if (ids.Count(id => id == begin) > 1) Problem(name, "The chat template prints the begin token more than once.");
        else if (ids is [var first, ..] && first == begin && tokenizer.Encode("a", addSpecialTokens: true).Contains(begin))
            _findings.Add(new(name, false,
                "Both the chat template and tokenizer.json put the begin token first: encode rendered text without adding special tokens."));
    }

    private bool IsSpace(int id) => tokenizer.Decode([id]).All(Characters.IsSpace);

    private void Problem(string name, string message) => _findings.Add(new(name, true, message));

    private void Try(string name, Action<string> check)
    {
        try
        {
            check(name);
        }
        catch (Exception problem) when (problem is InvalidDataException or NotSupportedException)
        {
            Problem(name, problem.Message);
        }
    }
}
