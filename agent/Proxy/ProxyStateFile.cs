using System.Text.Json;
using Decant.Agent.Balancers;
using Decant.Agent.Releases;
using Decant.Errors;
using Decant.Names;

namespace Decant.Agent.Proxy;

/// <summary>The members of all backends on disk, so that a proxy that starts again sends its first request where its predecessor would have.</summary>
/// <param name="path">Absolute path; its directory is there.</param>
internal sealed class ProxyStateFile(string path)
{
    /// <summary>Writes it as a whole or not at all, durably.</summary>
    /// <exception cref="ProxyRefusalException">STATE_NOT_WRITTEN.</exception>
    public void Write(IReadOnlyList<SavedBackend> backends)
    {
        var state = new StateDocument([.. backends.Select(b => new StateBackend(b.Name.Value, [.. b.Members.Select(ToDocument)]))]);
        var temporary = path + ".new";
        try
        {
            using (var stream = new FileStream(temporary, FileMode.Create, FileAccess.Write))
            {
                JsonSerializer.Serialize(stream, state, ProxyJson.Default.StateDocument);
                stream.Flush(flushToDisk: true);
            }

            File.Move(temporary, path, overwrite: true);
            DirectorySync.FlushEntries(Path.GetDirectoryName(path)!);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new ProxyRefusalException(
                "STATE_NOT_WRITTEN", $"the proxy cannot write {path}: {exception.Message}; nothing was changed", "free space or correct the directory's owner");
        }
    }

    /// <summary>What was written last; nothing when there is no file.</summary>
    /// <exception cref="InvalidDataException">It is not what the proxy wrote.</exception>
    public IReadOnlyList<SavedBackend> Read()
    {
        if (!File.Exists(path)) return [];
        try
        {
            using var stream = File.OpenRead(path);
            var state = JsonSerializer.Deserialize(stream, ProxyJson.Default.StateDocument) ?? throw new FormatException("it is empty");
            return Once([.. state.Backends.Select(FromDocument)], b => b.Name);
        }
        catch (Exception exception) when (exception is JsonException or FormatException)
        {
            throw new InvalidDataException($"{path} is not what the proxy writes: {Printable.Line(exception.Message)}; move it away to begin without members", exception);
        }
    }

    private static StateMember ToDocument(WantedMember member)
        => new(member.Name.Value, member.Address.ToString(), member.Weight, ProxyJson.Word(member.State));

    private static SavedBackend FromDocument(StateBackend? backend) => backend is null
        ? throw new FormatException("a backend is null")
        : new SavedBackend(MemberName.Parse(backend.Name), Once([.. backend.Members.Select(FromDocument)], m => m.Name));

    private static List<T> Once<T>(List<T> all, Func<T, MemberName> name)
        => all.GroupBy(name).FirstOrDefault(g => g.Count() > 1) is { } twice ? throw new FormatException($"{twice.Key} is there twice") : all;

    private static WantedMember FromDocument(StateMember? member) => member is null
        ? throw new FormatException("a member is null")
        : new WantedMember(MemberName.Parse(member.Name), MemberAddress.Parse(member.Address), Math.Clamp(member.Weight, 1, PutIn.FullWeight), Wanted(member.State));

    private static MemberState Wanted(string word)
        => ProxyJson.State(word) is var state and not MemberState.Down ? state : throw new FormatException("no member is wanted down");
}

/// <summary>A backend in the state file.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Members">Its members, as they are to be.</param>
internal sealed record SavedBackend(MemberName Name, IReadOnlyList<WantedMember> Members);
