using Finery.Data.Tokenizers.Jinja;

namespace Finery.Data.Tokenizers;

/// <summary>
/// A tokenizer's chat template: conversations to text and to tokens, as HF's <c>apply_chat_template</c> makes them. The template
/// is the one owner of begin and end tokens: encoding adds none. What messages, tools and variables say is always ordinary text:
/// nothing a user writes becomes a control token. Immutable and safe to use from many threads.
/// </summary>
public sealed class ChatTemplate
{
    /// <summary>ChatML after a begin token: the template of models finetuned here whose tokenizer has none of its own. Without
    /// generation blocks, which few engines know: the spans to train follow from rendering prefixes.</summary>
    public const string Jinja =
        "{{- bos_token }}{%- for message in messages %}" +
        "{{- '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{%- endfor %}" +
        "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}";

    /// <summary>Tokens that end a turn wherever a vocabulary has them as control tokens.</summary>
    private static readonly string[] TurnEnds = [ControlTokens.TurnEnd, "<|eot_id|>", "<|eom_id|>", "<|end_of_turn|>", "<end_of_turn>"];

    private readonly Tokenizer _tokenizer;
    private readonly JinjaTemplate _template;
    private readonly ChatRenderer _renderer;
    private readonly RenderedEncoder _encoder;

    /// <summary>The template of <paramref name="tokenizer"/>.</summary>
    /// <param name="tokenizer">With a template in its config.</param>
    /// <param name="clock">What a template that prints the date reads; the system's if none is given.</param>
    /// <exception cref="NotSupportedException">The tokenizer has no template, lacks a token of Finery's own, or the template uses
    /// something that is not supported.</exception>
    /// <exception cref="InvalidDataException">The template is not valid.</exception>
    public ChatTemplate(Tokenizer tokenizer, TimeProvider? clock = null)
    {
        _tokenizer = tokenizer;
        if (tokenizer.Config.ChatTemplate is not { } source)
            throw new NotSupportedException("This tokenizer has no chat template, so it cannot chat. Use plain text " +
                "generation, or a model finetuned on conversations.");
        if (source == Jinja) RequireOwnTokens();
        _template = JinjaTemplate.Parse(source);
        var guard = new ContentGuard(tokenizer.SpecialTokens.Where(token => token.Special).Select(token => token.Content));
        _renderer = new ChatRenderer(_template, tokenizer.Config, guard, clock);
        _encoder = new RenderedEncoder(tokenizer, guard);
        EndIds = FindEndIds();
    }

    /// <summary>Ids at which an answer ends, ascending: the end token, tokens known to end turns, and the one this template puts
    /// behind an answer.</summary>
    public IReadOnlyList<int> EndIds { get; }

    /// <summary>Whether the template marks what the assistant generates.</summary>
    public bool HasGeneration => _template.HasGeneration;

    /// <summary>Whether a tokenizer with these control tokens can use <see cref="Jinja"/>.</summary>
    internal static bool Fits(IReadOnlyList<string> special) =>
        special.Contains(ControlTokens.BeginOfText) && special.Contains(ControlTokens.TurnStart)
            && special.Contains(ControlTokens.TurnEnd);

    /// <summary>The conversation as text.</summary>
    /// <param name="messages">In order.</param>
    /// <param name="addGenerationPrompt">Ends with the header of an assistant turn, for a model to continue.</param>
    /// <param name="options">What else the template sees.</param>
    /// <exception cref="InvalidDataException">The template refuses the conversation or fails on it.</exception>
    public string Render(IReadOnlyList<ChatMessage> messages, bool addGenerationPrompt = false, ChatOptions? options = null) =>
        ContentGuard.Unmarked(_renderer.Begin(messages, options).Render(messages.Count, addGenerationPrompt).Text);

    /// <summary>Ids of a conversation up to the header of the assistant's next turn, for a model to continue.</summary>
    /// <exception cref="InvalidDataException">The template refuses the conversation or fails on it.</exception>
    public int[] EncodePrompt(IReadOnlyList<ChatMessage> messages, ChatOptions? options = null) =>
        [.. _encoder.Encode(_renderer.Begin(messages, options).Render(messages.Count, addGenerationPrompt: true).Text, []).Ids];

    /// <summary>Ids and training mask of a conversation: what the template marks as generated, or else, of each assistant turn,
    /// what follows its header up to its end token.</summary>
    /// <exception cref="InvalidDataException">The template refuses the conversation or fails on it.</exception>
    /// <exception cref="NotSupportedException">What the assistant said cannot be told from the rest.</exception>
    public ChatTokens Encode(IReadOnlyList<ChatMessage> messages, ChatOptions? options = null)
    {
        ChatRenderer.Conversation conversation = _renderer.Begin(messages, options);
        JinjaResult result = conversation.Render(messages.Count, addGenerationPrompt: false);
        var (ids, trained) = _encoder.Encode(result.Text, conversation.TrainedSpans(result));
        return new ChatTokens([.. ids], [.. trained]);
    }

    /// <summary>Ids of a prompt and of answers to it, such that both together are the conversation's.</summary>
    /// <param name="prompt">What goes before.</param>
    /// <param name="replies">Assistant turns, each an answer of its own.</param>
    /// <param name="options">What else the template sees.</param>
    /// <exception cref="InvalidDataException">The template refuses the conversation or fails on it.</exception>
    public ChatReplies EncodeReplies(IReadOnlyList<ChatMessage> prompt, IReadOnlyList<ChatMessage> replies, ChatOptions? options = null)
    {
        ReadOnlySpan<int> ids = EncodePrompt(prompt, options);
        var whole = new int[replies.Count][];
        int shared = ids.Length;
        for (int i = 0; i < whole.Length; i++)
        {
            ChatRenderer.Conversation conversation = _renderer.Begin([.. prompt, replies[i]], options);
            string text = conversation.Render(prompt.Count + 1, addGenerationPrompt: false).Text;
            whole[i] = [.. _encoder.Encode(text[..conversation.EndOfTurn(text, 0)], []).Ids];
            shared = Math.Min(shared, ids.CommonPrefixLength(whole[i]));
        }
        return new ChatReplies([.. ids[..shared]], Array.ConvertAll(whole, all => all[shared..]), shared == ids.Length);
    }

    /// <summary>What to know before training with this template. Nothing is thrown: what fails is a finding.</summary>
    public IReadOnlyList<ChatFinding> Check() => new ChatChecks(this, _tokenizer).Run();

    private void RequireOwnTokens()
    {
        foreach (string token in new[] { ControlTokens.TurnStart, ControlTokens.TurnEnd })
        {
            if (_tokenizer.IdOf(token) is not { } id || !_tokenizer.IsSpecial(id))
                throw new NotSupportedException($"The chat template needs the control token \"{token}\", which this tokenizer lacks.");
        }
        if (_tokenizer.BosId is null)
            throw new NotSupportedException("The chat template begins with the begin token, but tokenizer_config.json names no " +
                "bos_token of the vocabulary.");
    }

    private int[] FindEndIds()
    {
        var ids = new SortedSet<int>();
        if (_tokenizer.EosId is { } end) ids.Add(end);
        foreach (string name in TurnEnds)
        {
            if (_tokenizer.IdOf(name) is { } id && _tokenizer.IsSpecial(id)) ids.Add(id);
        }
        try
        {
            ChatMessage[] probe = [new("user", "Hi"), new("assistant", "Yes")];
            ChatRenderer.Conversation conversation = _renderer.Begin(probe, null);
            string text = conversation.Render(2, addGenerationPrompt: false).Text;
            int stop = conversation.EndOfTurn(text, text.LastIndexOf("Yes", StringComparison.Ordinal) + 1);
            if (_encoder.Encode(text[..stop], []).Ids is [.., var last] && _tokenizer.IsSpecial(last)) ids.Add(last);
        }
        catch (Exception problem) when (problem is InvalidDataException or NotSupportedException)
        {
            // a template that needs more than this says nothing about how turns end
        }
        return [.. ids];
    }
}
