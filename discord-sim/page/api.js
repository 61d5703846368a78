// Discord's REST API, called with one person's token.

/** Discord's answer when it refused: `status`, its JSON `code`, and `errors` by field for invalid forms. */
class ApiError extends Error {
  constructor(status, body) {
    super(body?.message || `Discord answered ${status}`);
    Object.assign(this, { status, code: body?.code, errors: body?.errors });
  }
}

export class Api {
  constructor(token) {
    this.token = token;
  }

  get = (path) => this.request("GET", path);
  post = (path, body, files) => this.request("POST", path, body, files);
  put = (path, body) => this.request("PUT", path, body);
  patch = (path, body) => this.request("PATCH", path, body);
  delete = (path) => this.request("DELETE", path);

  /** `files` are sent beside the body as multipart, the way Discord wants attachments. */
  async request(method, path, body, files) {
    const headers = { Authorization: this.token };
    let payload;
    if (files?.length) {
      payload = new FormData();
      payload.append("payload_json", JSON.stringify(body));
      files.forEach((file, index) => payload.append(`files[${index}]`, file, file.name));
    } else if (body !== undefined) {
      payload = JSON.stringify(body);
      headers["Content-Type"] = "application/json";
    }
    const response = await fetch(`/api/v10${path}`, { method, headers, body: payload });
    const text = await response.text();
    let answer;
    try {
      answer = text ? JSON.parse(text) : null;
    } catch {
      answer = null;
    }
    if (response.status === 429 && answer?.retry_after <= 5) {
      await new Promise((resolve) => setTimeout(resolve, answer.retry_after * 1000 + 50));
      return this.request(method, path, body, files);
    }
    if (!response.ok) throw new ApiError(response.status, answer);
    return answer;
  }
}

/** Describes files for a body's `attachments`. */
export const attachments = (files) => files.map((file, index) => ({ id: String(index), filename: file.name }));
