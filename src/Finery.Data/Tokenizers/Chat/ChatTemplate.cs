using System.Text;

namespace Finery.Data.Tokenizers;

/// <summary>One turn of a conversation.</summary>
/// <param name="Role"><c>system</c>, <c>user</c>, <c>assistant</c> or <c>tool</c>.</param>
/// <param name="Content">The text said.</param>
public sealed record ChatMessage(string Role, string Content);

/// <summary>A conversation as tokens.</summary>
/// <param name="Ids">Token ids.</param>
/// <param name="Trained">For each id, whether a model is trained to produce it: content and end token of assistant turns.</param>
public sealed record ChatTokens(int[] Ids, bool[] Trained);

/// <summary>
/// ChatML with a begin token: <c>BOS</c>, then per message <c>&lt;|im_start|&gt;role\ncontent&lt;|im_end|&gt;\n</c>. The template
/// is the one owner of the begin token of a conversation. Content is always ordinary text: nothing a user writes becomes a
/// control token. The ids are those HF gives for <see cref="Jinja"/>, except where content begins with a line break (HF may
/// merge it with the one before; here header and content never merge, so that a prompt is always a prefix of prompt and
/// reply) or spells a control token (which HF takes for one).
/// </summary>
public sealed class ChatTemplate
{
    /// <summary>The same template for HF and others, as <c>chat_template</c> in <c>tokenizer_config.json</c>.</summary>
    public const string Jinja =
        "{{- bos_token }}{%- for message in messages %}" +
        "{{- '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{%- endfor %}" +
        "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}";

    private static readonly string[] Roles = ["system", "user", "assistant", "tool"];

    private readonly Tokenizer _tokenizer;
    private readonly int _bos, _start;

    /// <summary>The template of <paramref name="tokenizer"/>.</summary>
    /// <exception cref="NotSupportedException">The tokenizer carries another template, or none, or lacks a control
    /// token.</exception>
    public ChatTemplate(Tokenizer tokenizer)
    {
        _tokenizer = tokenizer;
        if (tokenizer.Config.ChatTemplate is not { } template)
            throw new NotSupportedException("This tokenizer has no chat template, so it cannot chat. Use plain text " +
                "generation, or a model finetuned on conversations.");
        if (template != Jinja)
            throw new NotSupportedException("This tokenizer carries a chat template other than Finery's ChatML, and others are " +
                $"not supported yet. It begins: {template[..Math.Min(template.Length, 80)].ReplaceLineEndings(" ")}");
        _start = Control(ControlTokens.TurnStart);
        EndId = Control(ControlTokens.TurnEnd);
        _bos = tokenizer.BosId ?? throw new NotSupportedException("The chat template begins with the begin token, " +
            "but tokenizer_config.json names no bos_token of the vocabulary.");
    }

    /// <summary>Id of the token that ends a turn: stop generating there.</summary>
    public int EndId { get; }

    /// <summary>Whether a tokenizer with these control tokens can use this template.</summary>
    internal static bool Fits(IReadOnlyList<string> special) =>
        special.Contains(ControlTokens.BeginOfText) && special.Contains(ControlTokens.TurnStart)
            && special.Contains(ControlTokens.TurnEnd);

    /// <summary>Ids and training mask of a conversation.</summary>
    /// <param name="messages">In order; roles as in <see cref="ChatMessage.Role"/>.</param>
    /// <param name="addGenerationPrompt">Ends with the header of an assistant turn, for a model to continue.</param>
    /// <exception cref="ArgumentException">A role is unknown.</exception>
    public ChatTokens Encode(IReadOnlyList<ChatMessage> messages, bool addGenerationPrompt = false)
    {
        var ids = new List<int> { _bos };
        var trained = new List<bool> { false };
        foreach (ChatMessage message in messages)
        {
            AddHeader(ids, CheckedRole(message));
            Mark(false);
            _tokenizer.Encode(message.Content, ids);
            ids.Add(EndId);
            Mark(message.Role == "assistant");
            _tokenizer.Encode("\n", ids);
            Mark(false);
        }
        if (addGenerationPrompt) AddHeader(ids, "assistant");
        Mark(false);
        return new ChatTokens([.. ids], [.. trained]);

        void Mark(bool value)
        {
            while (trained.Count < ids.Count) trained.Add(value);
        }
    }

    /// <summary>Ids of an assistant's reply after a generation prompt: its content and the end token.</summary>
    public int[] EncodeReply(string content)
    {
        var ids = new List<int>();
        _tokenizer.Encode(content, ids);
        ids.Add(EndId);
        return [.. ids];
    }

    /// <summary>The conversation as text, as <see cref="Jinja"/> renders it.</summary>
    /// <exception cref="ArgumentException">A role is unknown.</exception>
    public string Render(IReadOnlyList<ChatMessage> messages, bool addGenerationPrompt = false)
    {
        var text = new StringBuilder(_tokenizer.Config.BosToken);
        foreach (ChatMessage message in messages)
            text.Append($"{ControlTokens.TurnStart}{CheckedRole(message)}\n{message.Content}{ControlTokens.TurnEnd}\n");
        if (addGenerationPrompt) text.Append($"{ControlTokens.TurnStart}assistant\n");
        return text.ToString();
    }

    private void AddHeader(List<int> ids, string role)
    {
        ids.Add(_start);
        _tokenizer.Encode(role + "\n", ids);
    }

    private int Control(string token) => _tokenizer.IdOf(token) is { } id && _tokenizer.IsSpecial(id)
        ? id
        : throw new NotSupportedException($"The chat template needs the control token \"{token}\", which this tokenizer lacks.");

    private static string CheckedRole(ChatMessage message) => Roles.Contains(message.Role)
        ? message.Role
        : throw new ArgumentException($"Unknown role \"{message.Role}\"; expected one of: {string.Join(", ", Roles)}.");
}
