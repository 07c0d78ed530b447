using System.Security.Cryptography;
using Decant.Names;

namespace Decant.Agent.Elixir;

/// <summary>
/// One Erlang cookie for each app on this host, made once. The cookie that <c>mix release</c> puts into a build is another one in every build, so
/// that <c>rpc</c> from one build could not reach a node of the next.
/// </summary>
internal sealed class Cookies(AppDirectories directories)
{
    private readonly Lock gate = new();

    /// <summary>The app's cookie, made when there is none yet; the file is mode 0600.</summary>
    public string Of(AppName app)
    {
        var path = Path.Combine(directories.Of(app), "cookie");
        lock (gate)
        {
            if (File.Exists(path)) return File.ReadAllText(path).Trim();
            var cookie = Convert.ToHexString(RandomNumberGenerator.GetBytes(24));
            var draft = $"{path}.new";
            File.Delete(draft);
            using (var file = new StreamWriter(draft, new FileStreamOptions
            {
                Mode = FileMode.CreateNew,
                Access = FileAccess.Write,
                UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
            }))
            {
                file.Write(cookie);
            }

            File.Move(draft, path);
            return cookie;
        }
    }
}
