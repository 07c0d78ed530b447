namespace Decant.Controller.State;

/// <summary>Where the controller keeps its journal and its locks.</summary>
/// <param name="Path">Absolute path.</param>
internal sealed record StateDirectory(string Path)
{
    /// <summary>The variable that names it.</summary>
    public const string Variable = "DECANT_STATE_DIR";

    /// <summary>The journal's file.</summary>
    public string Journal => System.IO.Path.Combine(Path, "journal.db");

    /// <summary>
    /// <c>$DECANT_STATE_DIR</c>, else <c>$XDG_STATE_HOME/decant</c>, else <c>~/.local/state/decant</c> (XDG Base Directory
    /// Specification 0.8). Made with mode 0700 where it is not there: manifests may tell more than others should read.
    /// </summary>
    /// <param name="environment">Reads an environment variable.</param>
    public static StateDirectory Open(Func<string, string?> environment)
    {
        var path = environment(Variable) is { Length: > 0 } named ? named
            : environment("XDG_STATE_HOME") is { Length: > 0 } xdg && System.IO.Path.IsPathRooted(xdg) ? System.IO.Path.Combine(xdg, "decant")
            : System.IO.Path.Combine(environment("HOME") is { Length: > 0 } home ? home : "/root", ".local", "state", "decant");
        return new StateDirectory(System.IO.Path.GetFullPath(path)).Made();
    }

    /// <summary>A file whose lock is held by whoever changes an app.</summary>
    public string LockOf(Names.AppName app) => System.IO.Path.Combine(Path, $"{app}.lock");

    private StateDirectory Made()
    {
        Directory.CreateDirectory(Path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return this;
    }
}
